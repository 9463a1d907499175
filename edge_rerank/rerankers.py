"""A ranker of the library rerankers, in the process that asks.

from edge_rerank.rerankers import EdgeRerankRanker

best = EdgeRerankRanker("my-model").rank("how do plants eat?", documents)

The class is made when it is first asked for: the library is imported then, and not before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from edge_rerank.adapters import SharedModel


def __getattr__(name: str) -> Any:
    if name != "EdgeRerankRanker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _ranker()


@cache
def _ranker() -> type[Any]:
    results: Any = import_module("rerankers.results")
    base: Any = import_module("rerankers.models.ranker").BaseRanker
    prepared: Any = import_module("rerankers.utils").prep_docs

    class EdgeRerankRanker(base):  # type: ignore[misc]
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
            documents = prepared(docs, doc_ids, metadata) if docs else []
            ranked = self.shared.rank(query, [document.text for document in documents])
            found = [
                results.Result(document=documents[hit.index], score=hit.score, rank=rank)
                for rank, hit in enumerate(ranked, 1)
            ]
            return results.RankedResults(results=found, query=query, has_scores=True)

    EdgeRerankRanker.__qualname__ = "EdgeRerankRanker"  # where pickle finds it
    return EdgeRerankRanker
