"""Scores a stream of pairs, some at a time; what is finished is given before an error is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from edge_rerank.ending import Limits
from edge_rerank.errors import EdgeRerankError, EngineError, InputError, TokenizerError
from edge_rerank.machine.floats import default_floats
from edge_rerank.pairs import Pair, TokenizedBatch
from edge_rerank.results import ScoredPair, activate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_rerank.engines.protocol import Engine
    from edge_rerank.tokenizing.choose import PairTokenizer

    Parts = Callable[[], tuple[PairTokenizer, Engine | "LimitedEngine"]]
    """What computes, as long as it is open."""


@dataclass(frozen=True, slots=True)
class LimitedEngine:
    """An engine, for one caller's calls, which end as ``limits`` say."""

    engine: Engine
    limits: Limits

    def logits(self, batch: TokenizedBatch) -> NDArray[np.float32]:
        """Return the engine's logits; raises CancelledError or TimedOutError as well."""
        return self.engine.logits(batch, self.limits)


def score_stream(
    pairs: Iterator[Pair],
    parts: Parts,
    *,
    activation: str,
    at_a_time: int,
    noun: str,
    place: Callable[[int], int] = int,
) -> Iterator[ScoredPair]:
    """Score pairs in order, ``at_a_time`` of them taken before the first is given.

    Raises what ``pairs`` raises, and what is raised over a pair, after all pairs before it were
    given; an error over a pair names it, as a ``noun``, and has its index, or what ``place`` makes
    of its index.
    """
    first = 0
    while True:
        chunk, failure = _take(pairs, at_a_time)
        if chunk:
            yield from _scored(chunk, first, parts, activation, noun, place)
        if failure is not None:
            raise failure
        if len(chunk) < at_a_time:
            return
        first += len(chunk)


def _take(pairs: Iterator[Pair], count: int) -> tuple[list[Pair], Exception | None]:
    """Take up to ``count`` pairs, and what ended them before."""
    taken: list[Pair] = []
    try:
        for pair in islice(pairs, count):
            taken.append(pair)
    except Exception as error:
        return taken, error
    return taken, None


def _scored(
    pairs: Sequence[Pair],
    first: int,
    parts: Parts,
    activation: str,
    noun: str,
    place: Callable[[int], int],
) -> Iterator[ScoredPair]:
    """Score pairs together, or, where that fails, those before the one at fault.

    A pair's score is the same in any company, so that halves may be scored in its place.
    """
    tokenizer, engine = parts()
    try:
        found = _together(pairs, tokenizer, engine, activation)
    except (EngineError, InputError, TokenizerError) as error:
        if len(pairs) == 1:
            raise located(error, place(first), noun)  # noqa: B904 - the same error
        found = None
    if found is not None:
        yield from found
        return
    middle = len(pairs) // 2
    yield from _scored(pairs[:middle], first, parts, activation, noun, place)
    yield from _scored(pairs[middle:], first + middle, parts, activation, noun, place)


@default_floats()
def _together(
    pairs: Sequence[Pair], tokenizer: PairTokenizer, engine: Engine | LimitedEngine, activation: str
) -> Iterator[ScoredPair]:
    batch = tokenizer.encode(pairs)
    logits = engine.logits(batch)
    columns = (activate(logits, activation), logits, batch.lengths, batch.truncated)
    return map(ScoredPair, *(column.tolist() for column in columns))


def located(error: EdgeRerankError, index: int, noun: str) -> EdgeRerankError:
    """Say of which pair of all it is, where it was raised over one alone."""
    error.index = index
    error.args = (f"{noun} {index}: {str(error).removeprefix('pair 0 ')}",)
    return error
