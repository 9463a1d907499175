"""Which passages of which queries a step is trained on: drawn anew in every epoch.

A draw depends on the seed, the epoch and the query alone, so that a run that was interrupted goes
on with the very lists that it would have had.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .examples import JudgedQuery

LISTS_PER_STEP = 8
_HARDEST = 2  # mined passages of this many times the list's length are drawn from


@dataclass(frozen=True, slots=True)
class Drawn:
    """A query with the passages of one step."""

    query: str
    passages: tuple[str, ...]
    goals: tuple[float, ...]
    """What the loss is given of each passage: the teacher's logit, or else the grade."""


class Draws:
    """The lists of all steps."""

    def __init__(self, queries: Sequence[JudgedQuery], size: int, seed: int) -> None:
        """Draw from these queries lists of at most ``size`` passages."""
        self._queries, self._size, self._seed = queries, size, seed

    @property
    def steps(self) -> int:
        """Steps of an epoch: each query is taken once, the last step may have fewer."""
        return math.ceil(len(self._queries) / LISTS_PER_STEP)

    @property
    def pairs(self) -> int:
        """Pairs of an epoch."""
        return sum(min(self._size, len(query.passages)) for query in self._queries)

    def at(self, step: int) -> list[Drawn]:
        """Return the lists of a step, counted from 0 through all epochs."""
        epoch, within = divmod(step, self.steps)
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._queries))
        chosen = order[within * LISTS_PER_STEP : (within + 1) * LISTS_PER_STEP]
        return [self._draw(int(place), epoch) for place in chosen]

    def _draw(self, place: int, epoch: int) -> Drawn:
        query = self._queries[place]
        rng = np.random.default_rng((self._seed, epoch, place))
        passages = drawn(query, self._size, rng)
        known = query.targets or query.grades
        return Drawn(query.text, passages, tuple(known.get(text, 0.0) for text in passages))


def drawn(query: JudgedQuery, size: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Draw up to ``size`` passages: at most half of them relevant, where there are others.

    Where there is a teacher, any of those that it has judged.
    """
    if query.targets:
        return tuple(_some(tuple(query.targets), size, rng))
    relevant = list(query.relevant)
    judged = [text for text in query.grades if query.grades[text] == 0]
    others = len(judged) + len(query.mined) + len(query.strange)
    room = max(size // 2, size - others)
    wanted = _some(relevant, room, rng)
    found = wanted + _some(judged, size - len(wanted), rng)
    strange = _some(query.strange, (size - len(found)) // 2, rng)
    mined = _some(query.mined[: _HARDEST * size], size - len(found) - len(strange), rng)
    return (*found, *mined, *strange)


def _some(texts: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    if len(texts) <= count:
        return list(texts)
    return [texts[place] for place in sorted(rng.choice(len(texts), count, replace=False))]
