"""A ranker of the library rerankers, in the process that asks.

from edge_rerank.rerankers import EdgeRerankRanker

best = EdgeRerankRanker("my-model").rank("how do plants eat?", documents)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from edge_rerank.adapters import SharedModel

_rerankers = import_module("rerankers")  # without type information
_base: Any = import_module("rerankers.models.ranker").BaseRanker
_prepared: Any = import_module("rerankers.utils").prep_docs


class EdgeRerankRanker(_base):  # type: ignore[misc]
    """Ranks what rerankers ranks: texts, or its documents, which stay as they are."""

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str] | None = None,
        verbose: int = 1,
        **settings: Any,
    ) -> None:
        """Take a model's folder; ``settings`` are those of :class:`SharedModel`."""
        path = None if model_name_or_path is None else os.fspath(model_name_or_path)
        self.shared, self.verbose = SharedModel(path, **settings), verbose

    def score(self, query: str, doc: str) -> float:
        """Return the score of one pair."""
        return self.shared.score([(query, doc)])[0]

    def rank(
        self,
        query: str,
        docs: Any,
        doc_ids: Sequence[str | int] | None = None,
        metadata: Sequence[dict[str, Any]] | None = None,
    ) -> Any:
        """Return rerankers' results, best first."""
        documents = _prepared(docs, doc_ids, metadata) if docs else []
        ranked = self.shared.rank(query, [document.text for document in documents])
        results = [
            _rerankers.results.Result(document=documents[hit.index], score=hit.score, rank=rank)
            for rank, hit in enumerate(ranked, 1)
        ]
        return _rerankers.results.RankedResults(results=results, query=query, has_scores=True)
