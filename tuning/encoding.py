"""Pairs as tensors, in chunks that fit into memory and have little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edge_rerank.pairs import Pair, TokenizedBatch
from edge_rerank_export.padding import PaddedBatch, padded, padded_batches

if TYPE_CHECKING:
    from edge_rerank.tokenizing.choose import PairTokenizer

MOST_CELLS = 64 * 200 * 200
"""Of attention matrices that are kept for one backward pass: pairs times their length squared."""
_GROUPS = 6


class Encoded:
    """Pairs as the tokenizer of the artifact encodes them, prompt included."""

    def __init__(self, tokenizer: PairTokenizer, pairs: Sequence[Pair], padding: int) -> None:
        """Encode; ``padding`` is the id of a padding token."""
        self._batch: TokenizedBatch = tokenizer.encode(pairs)
        self._padding = padding
        self.lengths: list[int] = self._batch.lengths.tolist()

    def even(self, places: Sequence[int]) -> Iterator[PaddedBatch]:
        """Yield these pairs in a few groups of like length."""
        order = sorted(places, key=lambda place: self.lengths[place])
        size = -(-len(order) // _GROUPS)
        for start in range(0, len(order), size):
            yield padded(self._batch, order[start : start + size], self._padding)

    def by_length(self) -> Iterator[PaddedBatch]:
        """Yield all pairs, short ones first, in batches of about as many tokens."""
        yield from padded_batches(self._batch, self._padding)


def chunks(lengths: Sequence[int], sizes: Sequence[int]) -> Iterator[tuple[range, range]]:
    """Cut lists of ``sizes`` pairs into what one backward pass takes: lists, and their pairs.

    A chunk has one list at least, whatever that takes.
    """
    begun = first = at = cells = 0
    for place, size in enumerate(sizes):
        own = sum(length * length for length in lengths[at : at + size])
        if place > begun and cells + own > MOST_CELLS:
            yield range(begun, place), range(first, at)
            begun, first, cells = place, at, 0
        at, cells = at + size, cells + own
    yield range(begun, len(sizes)), range(first, at)
