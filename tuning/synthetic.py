"""Queries that nobody asked: how passages of the collection begin.

A title, or the first words of a passage that has none, is about something that the collection is
about, and in its words. Nothing is known of what answers it, which the teacher makes up for: a
model that learns to rank for a hundred queries alone learns those, and little for others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

from .examples import JudgedQuery
from .mining import index_of

_MOST_WORDS, _FEWEST_WORDS = 24, 3
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")


def synthetic_queries(
    passages: Sequence[str],
    count: int,
    *,
    depth: int,
    size: int,
    seed: int,
    known: Collection[str],
) -> tuple[JudgedQuery, ...]:
    """Make up to ``count`` queries; each has ``size`` of BM25's best ``depth`` passages, drawn.

    The passage that a query was made of is none of them. ``known`` queries are not made again.
    """
    rng = np.random.default_rng((seed, len(passages)))
    made = _beginnings(passages, rng.permutation(len(passages)).tolist(), count, {*known})
    index = index_of(passages, made)
    queries = []
    for text, own in made.items():
        found = [one for one in index.best(text, depth + 1) if one[0] != own]
        if len(found) < size:
            continue  # too little in common with anything to be a query of this collection
        drawn = sorted(rng.choice(len(found), size, replace=False).tolist())
        scores = {passages[place]: score for place, score in (found[at] for at in drawn)}
        queries.append(JudgedQuery(text, "", {}, mined=tuple(scores), found=scores))
    return tuple(queries)


def _beginnings(
    passages: Sequence[str], order: Sequence[int], count: int, known: set[str]
) -> dict[str, int]:
    """Return how passages begin, and where each lies."""
    made: dict[str, int] = {}
    for place in order:
        if len(made) >= count:
            break
        text = beginning(passages[place])
        if len(text.split()) >= _FEWEST_WORDS and text not in known:
            made.setdefault(text, place)
    return made


def beginning(passage: str) -> str:
    """Return the first sentence, or as much of it as a query may have, without its last stop."""
    words = _SENTENCE_END.split(passage.strip(), maxsplit=1)[0].split()[:_MOST_WORDS]
    return " ".join(words).rstrip(" .!?")
