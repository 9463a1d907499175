"""BM25 over a collection in memory, whose best documents are reranked."""

from __future__ import annotations

from collections.abc import Mapping

from edge_rerank.evaluation.bm25 import Bm25


def bm25_rankings(
    documents: Mapping[str, str], queries: Mapping[str, str], depth: int
) -> dict[str, list[str]]:
    """Return each query's ``depth`` best documents by BM25, best first.

    Documents that share no word with a query are not ranked for it, so a query may have fewer,
    or none.
    """
    index = Bm25(queries.values())
    for text in documents.values():
        index.add(text)
    index.finish()
    names = list(documents)
    return {
        query: [names[place] for place, _ in index.best(text, depth)]
        for query, text in queries.items()
    }
