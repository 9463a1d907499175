"""Passages that share a query's words and are not known to answer it, found by our own BM25."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from edge_rerank.evaluation.bm25 import Bm25

from .examples import PAIRS, Judged, JudgedQuery


def own_passages(*files: Judged) -> list[str]:
    """Return all passages of some files, each once, in their order."""
    found = (text for judged in files for query in judged.queries for text in query.grades)
    return list(dict.fromkeys(text for text in found if text.strip()))


def with_mined(judged: Judged, passages: Sequence[str], depth: int) -> Judged:
    """Give each query the best ``depth`` of the passages that are not among its own."""
    index = index_of(passages, (query.text for query in judged.queries))
    return replace(
        judged,
        queries=tuple(
            replace(query, mined=_mined(index, query, passages, depth)) for query in judged.queries
        ),
    )


def with_strange(judged: Judged, passages: Sequence[str], count: int, seed: int) -> Judged:
    """Give each query ``count`` passages at random that are not among those that it has.

    What BM25 finds shares words with the query, and what was judged relevant may not: with nothing
    else in its lists, a model learns that shared words are a bad sign.
    """

    def drawn(query: JudgedQuery, place: int) -> tuple[str, ...]:
        known = {*query.passages}
        rng = np.random.default_rng((seed, place))
        chosen = rng.choice(len(passages), min(len(passages), count + len(known)), replace=False)
        return tuple(
            [text for text in (passages[at] for at in chosen) if text not in known][:count]
        )

    queries = judged.queries
    made = (replace(query, strange=drawn(query, place)) for place, query in enumerate(queries))
    return replace(judged, queries=tuple(made))


def as_found(judged: Judged, passages: Sequence[str], depth: int) -> Judged:
    """Give each query what a search finds, and that alone: BM25's best ``depth`` passages.

    A judged passage that is not found is left out: beside passages that are there for their words,
    it would be told by its lack of them.
    """
    index = index_of(passages, (query.text for query in judged.queries))

    def found(query: JudgedQuery) -> JudgedQuery:
        scores = {passages[place]: score for place, score in index.best(query.text, depth)}
        grades = {text: query.grades[text] for text in scores if text in query.grades}
        mined = tuple(text for text in scores if text not in grades)
        return replace(query, grades=grades, mined=mined, found=scores)

    return replace(judged, queries=tuple(found(query) for query in judged.queries))


def index_of(passages: Sequence[str], queries: Iterable[str]) -> Bm25:
    """Return an index of passages for these queries."""
    index = Bm25(queries)
    for passage in passages:
        index.add(passage)
    index.finish()
    return index


def needs_mining(judged: Judged) -> bool:
    """Whether a query has no passage that is not relevant, in a file of pairs."""
    return judged.kind == PAIRS and not all(query.tells for query in judged.queries)


def _mined(index: Bm25, query: JudgedQuery, passages: Sequence[str], depth: int) -> tuple[str, ...]:
    found = index.best(query.text, depth + len(query.grades))
    texts = (passages[place] for place, _ in found)
    return tuple(text for text in texts if text not in query.grades)[:depth]
