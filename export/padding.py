"""Pairs laid out side by side for torch: batches of about one length, short ones padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edge_rerank.pairs import TokenizedBatch

_TOKENS_PER_BATCH = 4096


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """Pairs of about one length: ``ids``, ``types`` and ``mask``, all ``[pairs, length]``."""

    places: Sequence[int]
    """Which pairs of all they are."""
    ids: Tensor
    types: Tensor
    mask: Tensor


def padded_batches(pairs: TokenizedBatch, padding: int = 0) -> Iterator[PaddedBatch]:
    """Group pairs by length, short ones first; ``padding`` is the id of a padding token."""
    lengths = pairs.lengths.tolist()
    order = sorted(range(len(pairs)), key=lengths.__getitem__)
    while order:
        rows = 1
        while rows < len(order) and (rows + 1) * lengths[order[rows]] <= _TOKENS_PER_BATCH:
            rows += 1
        yield padded(pairs, order[:rows], padding)
        order = order[rows:]


def padded(pairs: TokenizedBatch, places: Sequence[int], padding: int = 0) -> PaddedBatch:
    """Lay out some of the pairs in this order."""
    chosen = pairs.take(places)
    lengths, first = map(torch.from_numpy, (chosen.lengths, chosen.first_segments))
    columns = torch.arange(int(lengths.max()), device=lengths.device)
    mask = columns < lengths[:, None]
    ids = torch.full(mask.shape, padding, device=mask.device)
    ids[mask] = torch.from_numpy(chosen.ids).long()
    return PaddedBatch(places, ids, (mask & (columns >= first[:, None])).long(), mask)
