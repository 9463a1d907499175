"""Scores a stream of pairs by their windows; what is finished is given before an error."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge_rerank.errors import InputError, TokenizerError
from edge_rerank.pairs import Pair
from edge_rerank.results import ScoredPair
from edge_rerank.scoring import located, score_stream
from edge_rerank.windows.counting import Counter
from edge_rerank.windows.joining import joined
from edge_rerank.windows.options import Reading
from edge_rerank.windows.planning import Plan, Planner

if TYPE_CHECKING:
    from edge_rerank.scoring import Parts

_AT_A_TIME = 64
"""Windows of a call of the engine: they are as long as pairs get."""


def score_windows(
    pairs: Iterator[Pair],
    parts: Parts,
    *,
    reading: Reading,
    activation: str,
    at_a_time: int,
    noun: str,
) -> Iterator[ScoredPair]:
    """Score pairs in order, each by its windows; as :func:`edge_rerank.scoring.score_stream`."""
    planner = Planner(Counter(parts()[0]), reading)
    waiting: deque[Plan] = deque()
    done = 0
    first = 0  # the window that the oldest of those that wait begins with

    def windows() -> Iterator[Pair]:
        for index, pair in enumerate(pairs):
            try:
                plan = planner.plan(*pair)
            except (InputError, TokenizerError) as error:
                raise located(error, index, noun)  # noqa: B904 - the same error
            waiting.append(plan)
            yield from plan.pairs

    def place(window: int) -> int:
        """Return which of the pairs a window is of."""
        end = first
        for ahead, plan in enumerate(waiting):
            end += len(plan.pairs)
            if window < end:
                return done + ahead
        return done

    scored: list[ScoredPair] = []
    for result in score_stream(
        windows(),
        parts,
        activation=activation,
        at_a_time=min(at_a_time, _AT_A_TIME),
        noun=noun,
        place=place,
    ):
        scored.append(result)
        if len(scored) == len(waiting[0].pairs):
            plan = waiting.popleft()
            done += 1
            first += len(scored)
            found, scored = scored, []
            yield joined(plan, found, reading, activation)
