"""Batches of token ids for tests, and what is in them as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from edge_rerank.pairs import TokenizedBatch, offsets_of


class Row(NamedTuple):
    """One pair."""

    ids: tuple[int, ...]
    first: int = 1
    truncated: bool = False


def batch_of(rows: Iterable[Row]) -> TokenizedBatch:
    """Return the rows as arrays."""
    rows = list(rows)
    return TokenizedBatch(
        ids=np.array([token for row in rows for token in row.ids], np.int32),
        offsets=offsets_of(np.array([len(row.ids) for row in rows], np.int64)),
        first_segments=np.array([row.first for row in rows], np.int32),
        truncated=np.array([row.truncated for row in rows], np.bool_),
    )


def rows_of(batch: TokenizedBatch) -> list[Row]:
    """Return what a batch holds, pair by pair."""
    columns = zip(batch.first_segments.tolist(), batch.truncated.tolist(), strict=True)
    return [
        Row(tuple(batch.ids_of(place).tolist()), first, truncated)
        for place, (first, truncated) in enumerate(columns)
    ]


def random_rows(lengths: Sequence[int], seed: int, high: int) -> list[Row]:
    """Return rows of random ids below ``high``."""
    rng = np.random.default_rng(seed)
    return [Row(tuple(rng.integers(0, high, length).tolist())) for length in lengths]
