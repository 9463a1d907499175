"""A document compressor: the best documents of a retriever, each with its score."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, PrivateAttr

from edge_rerank import RankedDocument, Windows
from edge_rerank.adapters import SharedModel, asked_of, best


class EdgeRerank(BaseDocumentCompressor):
    """Keeps the documents that answer the query best, best first.

    They are copies, and have their score in ``metadata["relevance_score"]``. The model is opened at
    the first call, and once for all compressors of a process with the same settings.
    """

    model: str | None = None
    """Folder of an exported model; None is the one that comes with edge-rerank."""
    top_n: int | None = Field(default=3, ge=1)
    """Most documents to keep; None is all."""
    score_threshold: float | None = None
    """Least score of a document to keep."""
    threads: int | None = None
    max_length: int | None = None
    long_documents: Literal["truncate", "windows"] | Windows = "truncate"
    """``windows`` reads long documents whole; ``relevance_window`` is where the best one lies."""
    query_max_tokens: int | None = None

    model_config = ConfigDict(extra="forbid")
    _shared: SharedModel = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Refuse settings that are out of range now, and not at the first query."""
        super().model_post_init(context)
        self._shared = asked_of(self)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Return copies of the best documents; ``callbacks`` have nothing to be told."""
        texts = [document.page_content for document in documents]
        return self._kept(documents, self._model().rank(query, texts) if texts else [])

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Return copies of the best documents; a task that is cancelled ends the engine's work."""
        texts = [document.page_content for document in documents]
        return self._kept(documents, await self._model().arank(query, texts) if texts else [])

    def _kept(
        self, documents: Sequence[Document], ranked: Sequence[RankedDocument[str]]
    ) -> list[Document]:
        kept = []
        for hit in best(ranked, self.top_n, self.score_threshold):
            document = deepcopy(documents[hit.index])
            document.metadata["relevance_score"] = hit.score
            if hit.window is not None:
                document.metadata["relevance_window"] = [hit.window.start, hit.window.end]
            kept.append(document)
        return kept

    def _model(self) -> SharedModel:
        """Return the model that the fields ask for: they may have been set anew."""
        self._shared = asked_of(self, self._shared)
        return self._shared
