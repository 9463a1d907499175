"""BM25, the first stage whose best documents are reranked."""

from __future__ import annotations

from collections.abc import Mapping

from edge_rerank.evaluation._libraries import library

_K1, _B = 1.5, 0.75


def bm25_rankings(
    documents: Mapping[str, str], queries: Mapping[str, str], depth: int
) -> dict[str, list[str]]:
    """Return each query's ``depth`` best documents by BM25, best first.

    Lucene's variant with k1 1.5 and b 0.75 over stems of English words, without its stop words.
    Documents that share no word with a query are not ranked for it, so a query may have fewer,
    or none.
    """
    bm25s, stemmer = library("bm25s"), library("Stemmer").Stemmer("english")

    def words(texts: Mapping[str, str]) -> object:
        return bm25s.tokenize(
            list(texts.values()), stopwords="en", stemmer=stemmer, show_progress=False
        )

    index = bm25s.BM25(method="lucene", k1=_K1, b=_B)
    index.index(words(documents), show_progress=False)
    most = min(depth, len(documents))
    found, scores = index.retrieve(words(queries), k=most, show_progress=False)
    ids = list(documents)
    return {
        query: [ids[place] for place, score in zip(row, values, strict=True) if score > 0]
        for query, row, values in zip(queries, found.tolist(), scores.tolist(), strict=True)
    }
