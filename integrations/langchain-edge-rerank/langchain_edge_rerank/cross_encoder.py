"""A cross-encoder for ``CrossEncoderReranker`` and its like."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from edge_rerank import Windows
from edge_rerank.adapters import SharedModel
from edge_rerank.description import Scores
from edge_rerank.windows.options import LongDocuments

_HOMES = (
    "langchain_core.cross_encoders",
    "langchain_classic.retrievers.document_compressors.cross_encoder",
    "langchain_community.cross_encoders",
)


def _base() -> Any:
    """Return the base class: releases of LangChain have it in different places."""
    for home in _HOMES:
        try:
            return import_module(home).BaseCrossEncoder
        except (ImportError, AttributeError):
            continue
    return object


class EdgeRerankCrossEncoder(_base()):  # type: ignore[misc]
    """Scores pairs of texts; the model is opened at the first call."""

    def __init__(
        self,
        model: str | None = None,
        *,
        threads: int | None = None,
        max_length: int | None = None,
        scores: Scores | None = None,
        long_documents: LongDocuments | Windows = "truncate",
        query_max_tokens: int | None = None,
    ) -> None:
        """Take a model's folder, or None for the one that comes with edge-rerank."""
        self.shared = SharedModel(
            model, threads, max_length, scores, long_documents, query_max_tokens
        )

    def score(self, text_pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a score for each pair, in their order."""
        return self.shared.score(text_pairs)
