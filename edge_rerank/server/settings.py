"""What a server is told at its start: plain, frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_rerank.windows.options import Reading

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold, and how much may wait; all of it bounds the server's memory."""

    body_bytes: int = 32 * MEBIBYTE
    documents: int = 10_000
    """Cohere's bound. Some clients send all texts at once whatever ``/info`` says."""
    query_characters: int = 32_768
    document_characters: int = 1_000_000
    waiting: int = 512
    """Requests that wait or run at a time, as text-embeddings-inference has it."""
    waiting_bytes: int = 256 * MEBIBYTE
    """Bytes of all bodies held at a time."""
    connections: int = 4096
    request_seconds: float = 300.0
    """From a request's head to its answer; Cohere's clients wait this long."""
    head_seconds: float = 30.0
    """For a request's head to arrive, and for a client to go on reading an answer."""
    drain_seconds: float = 8.0
    """Between SIGTERM and the end. Docker kills after ten."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that is served."""

    name: str
    path: Path | None
    """None is the model that comes with the package."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a server needs to know besides where it listens."""

    models: tuple[ModelSource, ...]
    """The first is loaded at the start, and answers requests that name none of the others."""
    load: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``Reranker.load``."""
    limits: Limits = field(default_factory=Limits)
    reading: Reading = field(default_factory=Reading)
    """How long texts are read, unless a request says otherwise."""
    keep_seconds: float | None = None
    """Models unused for longer are dropped; None keeps them."""
    keys: tuple[str, ...] = ()
    """Keys of which a request must carry one; none lets everybody in."""
    cors_origins: tuple[str, ...] = ()
    page: bool = True
    log_requests: bool = True
    log_texts: bool = False
