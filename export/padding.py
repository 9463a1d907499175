"""Pairs laid out side by side for torch: batches of about one length, short ones padded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from edge_rerank.pairs import TokenizedBatch

_TOKENS_PER_BATCH = 4096


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """Pairs of about one length: ``ids``, ``types`` and ``mask``, all ``[pairs, length]``."""

    ids: Tensor
    types: Tensor
    mask: Tensor


def padded_batches(pairs: TokenizedBatch) -> Iterator[PaddedBatch]:
    """Group pairs by length, short ones first."""
    lengths = pairs.lengths.tolist()
    order = sorted(range(len(pairs)), key=lengths.__getitem__)
    while order:
        rows = 1
        while rows < len(order) and (rows + 1) * lengths[order[rows]] <= _TOKENS_PER_BATCH:
            rows += 1
        yield _padded(pairs.take(order[:rows]))
        order = order[rows:]


def _padded(pairs: TokenizedBatch) -> PaddedBatch:
    lengths, first = map(torch.from_numpy, (pairs.lengths, pairs.first_segments))
    columns = torch.arange(int(lengths.max()))
    mask = columns < lengths[:, None]
    ids = torch.zeros(mask.shape, dtype=torch.int64)
    ids[mask] = torch.from_numpy(pairs.ids).long()
    return PaddedBatch(ids, (mask & (columns >= first[:, None])).long(), mask)
