"""Passages that share a query's words and are not known to answer it, found by our own BM25."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge_rerank.evaluation.bm25 import Bm25

from .examples import PAIRS, Judged, JudgedQuery


def own_passages(*files: Judged) -> list[str]:
    """Return all passages of some files, each once, in their order."""
    found = (text for judged in files for query in judged.queries for text in query.grades)
    return list(dict.fromkeys(text for text in found if text.strip()))


def with_mined(judged: Judged, passages: Sequence[str], depth: int) -> Judged:
    """Give each query the best ``depth`` of the passages that are not among its own."""
    index = Bm25(query.text for query in judged.queries)
    for passage in passages:
        index.add(passage)
    index.finish()
    return replace(
        judged,
        queries=tuple(
            replace(query, mined=_mined(index, query, passages, depth)) for query in judged.queries
        ),
    )


def needs_mining(judged: Judged) -> bool:
    """Whether a query has no passage that is not relevant, in a file of pairs."""
    return judged.kind == PAIRS and not all(query.tells for query in judged.queries)


def _mined(index: Bm25, query: JudgedQuery, passages: Sequence[str], depth: int) -> tuple[str, ...]:
    found = index.best(query.text, depth + len(query.grades))
    texts = (passages[place] for place, _ in found)
    return tuple(text for text in texts if text not in query.grades)[:depth]
