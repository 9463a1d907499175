"""Which pairs run together, and padded to what length: plain planning, no engine.

Every batch costs something of its own (each operator is started, each weight matrix is read), and
every padded token costs as much as a real one. Over pairs sorted by length the cheapest cut into
batches is found exactly, by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

TOKEN_BUDGET = 2048
"""Most padded tokens in a batch. Measured time per token is flat from a few hundred tokens up,
while buffers and activations grow with it: 2,048 keeps them small enough for a small board."""

MAX_ROWS = 64
"""Most pairs in a batch: bounds the planning, and nothing is gained beyond."""

BATCH_COST = 48
"""What starting a batch costs, in tokens' worth of time: the fixed 5 ms or so of a batch over the
0.1 ms of a token of an xsmall-shaped int8 model."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs that run together: their places in the caller's list, and the padded length."""

    indices: tuple[int, ...]
    length: int

    @property
    def tokens(self) -> int:
        """How many tokens the engine computes for it, padding included."""
        return len(self.indices) * self.length


def padded_length(length: int, max_length: int) -> int:
    """Round a length up to the next of a small set: steps of 8 to 128, 16 to 256, 32 above.

    Few different shapes let an engine reuse what it allocated for earlier ones. ``max_length``
    is always in the set.
    """
    step = 8 if length <= 128 else 16 if length <= 256 else 32
    return min(-(-length // step) * step, max_length)


def plan_batches(
    lengths: Sequence[int], *, max_length: int, token_budget: int = TOKEN_BUDGET
) -> list[Batch]:
    """Cut pairs of the given lengths (in tokens, 1 to ``max_length``) into batches.

    Longest first, equal lengths in input order, each index exactly once. No batch has more than
    MAX_ROWS pairs, or more than ``token_budget`` padded tokens unless one pair alone has.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    padded = [padded_length(lengths[index], max_length) for index in order]
    cuts = _cheapest_cuts(padded, token_budget)
    return [Batch(tuple(order[start:stop]), padded[start]) for start, stop in pairwise(cuts)]


def padding_overhead(lengths: Sequence[int], batches: Sequence[Batch]) -> float:
    """Give padded tokens over real tokens, less one: 0.05 is five per cent of padding."""
    real = sum(lengths)
    return sum(batch.tokens for batch in batches) / real - 1 if real else 0.0


def _cheapest_cuts(padded: Sequence[int], token_budget: int) -> list[int]:
    """Give the places to cut a descending list of lengths at, both ends included.

    ``cost[stop]`` is the least cost of the first ``stop`` pairs; a batch from ``start`` to
    ``stop`` adds BATCH_COST and ``padded[start]`` tokens for each of its pairs.
    """
    cost = [0] * (len(padded) + 1)
    last_cut = [0] * (len(padded) + 1)
    for stop in range(1, len(padded) + 1):
        best = -1
        for start in range(stop - 1, max(-1, stop - 1 - MAX_ROWS), -1):
            tokens = (stop - start) * padded[start]
            if tokens > token_budget and start < stop - 1:
                break  # further back, lengths and number only grow
            total = cost[start] + tokens
            if best < 0 or total < best:
                best, last_cut[stop] = total, start
        cost[stop] = best + BATCH_COST
    cuts = [len(padded)]
    while cuts[-1] > 0:
        cuts.append(last_cut[cuts[-1]])
    return cuts[::-1]
