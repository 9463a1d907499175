"""One request's pairs on their way through the scheduler."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_rerank.pairs import Pair
from edge_rerank.reranker import Reranker
from edge_rerank.results import ScoredPair

_BYTES_A_TOKEN = 4
"""Roughly, for English; it only decides where requests are cut."""


class CutError(Exception):
    """A pair did not fit whole, and its request forbids cutting; ``index`` says which."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


@dataclass(eq=False)
class Job:
    """Pairs of one request; its fields are the scheduler's, its ``future`` the waiting task's."""

    reranker: Reranker
    pairs: Sequence[Pair]
    refuse_cut: bool
    joins: bool
    """It may share a call with others: the engine gives the same bits in any company."""
    future: asyncio.Future[None]
    scored: list[ScoredPair] = field(default_factory=list)
    arrived: float = field(default_factory=time.monotonic)
    started: float | None = None
    ended: float | None = None
    cancelled: bool = False

    def __post_init__(self) -> None:
        most = self.reranker.max_length
        self._estimate = sum(estimate(pair, most) for pair in self.pairs)

    @property
    def tokens_left(self) -> float:
        """Estimate the tokens of the pairs that have not been scored."""
        return self._estimate * self.left / len(self.pairs)

    @property
    def left(self) -> int:
        """How many pairs have not been scored."""
        return len(self.pairs) - len(self.scored)

    def piece(self, room: int, most: int) -> tuple[Sequence[Pair], int]:
        """Return the next pairs of about ``room`` tokens, one at least, and their tokens.

        No pair counts as more than ``most``, the model's maximum.
        """
        begin, used = len(self.scored), 0
        for end in range(begin, len(self.pairs)):
            size = estimate(self.pairs[end], most)
            if used and used + size > room:
                return self.pairs[begin:end], used
            used += size
        return self.pairs[begin:], used

    def add(self, scored: Sequence[ScoredPair]) -> None:
        """Take the scores of the next pairs; raises CutError for one that is forbidden."""
        begin = len(self.scored)
        self.scored.extend(scored)
        if self.refuse_cut:
            for place, pair in enumerate(scored):
                if pair.truncated:
                    raise CutError(begin + place)

    def settle(self, error: BaseException | None) -> None:
        """Tell the waiting task, from the scheduler's thread; it may have stopped waiting."""
        self.ended = time.monotonic()
        loop = self.future.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._tell, error)

    def _tell(self, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)


def estimate(pair: Pair, most: int) -> int:
    """Estimate a pair's tokens from its length: between a few and the model's maximum."""
    return min((len(pair[0]) + len(pair[1])) // _BYTES_A_TOKEN + 4, most)
