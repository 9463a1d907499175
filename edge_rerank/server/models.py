"""The models that are served: each is loaded at its first use, and dropped when long unused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edge_rerank.description import Description
from edge_rerank.reranker import Reranker
from edge_rerank.server.settings import ModelSource


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model once it has been loaded, and after it was dropped."""

    max_length: int
    precision: str
    checkpoint: str
    engine: Description


@dataclass(eq=False)
class _Entry:
    source: ModelSource
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    reranker: Reranker | None = None
    facts: ModelFacts | None = None
    users: int = 0
    last_used: float = 0.0


class Models:
    """All models of a server; used from the event loop alone."""

    def __init__(
        self, sources: tuple[ModelSource, ...], load: Callable[[ModelSource], Reranker]
    ) -> None:
        """Know the models; ``load`` is called on another thread."""
        self._load = load
        self._entries = {source.name: _Entry(source) for source in sources}
        self._first = sources[0].name

    @property
    def names(self) -> tuple[str, ...]:
        """All names; the first answers when a request names none of them."""
        return tuple(self._entries)

    @property
    def loaded(self) -> int:
        """How many are in memory."""
        return sum(entry.reranker is not None for entry in self._entries.values())

    def choose(self, asked: str | None) -> str:
        """Return the name of the model that a request gets."""
        return asked if asked in self._entries else self._first

    def put(self, name: str, reranker: Reranker) -> None:
        """Take a model that is loaded already."""
        entry = self._entries[name]
        entry.reranker, entry.facts = reranker, _facts(reranker)
        entry.last_used = time.monotonic()

    async def facts(self, name: str) -> ModelFacts:
        """Describe a model, which is loaded for it if it never was."""
        entry = self._entries[name]
        if entry.facts is None:
            async with self.use(name):
                pass
        assert entry.facts is not None
        return entry.facts

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Reranker]:
        """Return a model, which stays loaded inside of the block."""
        entry = self._entries[name]
        entry.users += 1  # from here on it is not dropped
        try:
            async with entry.lock:
                if entry.reranker is None:
                    self.put(name, await asyncio.to_thread(self._load, entry.source))
                reranker = entry.reranker
            assert reranker is not None
            yield reranker
        finally:
            entry.users -= 1
            entry.last_used = time.monotonic()

    async def drop_unused(self, seconds: float) -> None:
        """Drop models that have not been used for ``seconds``, now and from then on."""
        while True:
            now = time.monotonic()
            for entry in self._entries.values():
                unused = not entry.users and now - entry.last_used >= seconds
                if entry.reranker is not None and unused:
                    reranker, entry.reranker = entry.reranker, None
                    reranker.close()
            await asyncio.sleep(min(seconds / 4, 5.0))

    def close(self) -> None:
        """Drop all models."""
        for entry in self._entries.values():
            if entry.reranker is not None:
                entry.reranker.close()
                entry.reranker = None


def _facts(reranker: Reranker) -> ModelFacts:
    manifest = reranker.artifact.manifest
    return ModelFacts(
        max_length=reranker.max_length,
        precision=manifest.precision,
        checkpoint=manifest.source.checkpoint_sha256,
        engine=reranker.describe(),
    )
