"""Pairs as tensors, in chunks that fit into memory and have little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from edge_rerank.pairs import Pair, TokenizedBatch

if TYPE_CHECKING:
    from edge_rerank.tokenizing.choose import PairTokenizer

MOST_CELLS = 64 * 200 * 200
"""Of attention matrices that are kept for one backward pass: pairs times their length squared."""
_GROUPS = 6
_TOKENS = 4096  # of a batch where nothing is kept


@dataclass(frozen=True, slots=True)
class Padded:
    """Some pairs, each [pairs, longest of them]; ``places`` says which pairs of all they are."""

    places: Sequence[int]
    ids: Tensor
    mask: Tensor
    types: Tensor


class Encoded:
    """Pairs as the tokenizer of the artifact encodes them, prompt included."""

    def __init__(self, tokenizer: PairTokenizer, pairs: Sequence[Pair], padding: int) -> None:
        """Encode; ``padding`` is the id of a padding token."""
        self._batch: TokenizedBatch = tokenizer.encode(pairs)
        self._padding = padding
        self.lengths: list[int] = self._batch.lengths.tolist()

    def even(self, places: Sequence[int]) -> Iterator[Padded]:
        """Yield these pairs in a few groups of like length."""
        order = sorted(places, key=lambda place: self.lengths[place])
        size = -(-len(order) // _GROUPS)
        for start in range(0, len(order), size):
            yield self._padded(order[start : start + size])

    def by_length(self) -> Iterator[Padded]:
        """Yield all pairs, short ones first, in batches of about as many tokens."""
        group: list[int] = []
        for place in sorted(range(len(self.lengths)), key=lambda place: self.lengths[place]):
            if group and (len(group) + 1) * self.lengths[place] > _TOKENS:
                yield self._padded(group)
                group = []
            group.append(place)
        if group:
            yield self._padded(group)

    def _padded(self, places: Sequence[int]) -> Padded:
        shape = len(places), max(self.lengths[place] for place in places)
        ids = torch.full(shape, self._padding)
        mask, types = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        for row, place in enumerate(places):
            length = self.lengths[place]
            ids[row, :length] = torch.from_numpy(self._batch.ids_of(place).astype("int64"))
            mask[row, :length] = 1
            types[row, int(self._batch.first_segments[place]) : length] = 1
        return Padded(places, ids, mask, types)


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
