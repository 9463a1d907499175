"""Calls of the library's C interface with pairs of token ids, for tests."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_rerank.native_library import Library, Options

Pair = NDArray[np.int32]


def options(**members: Any) -> Options:
    """Return options for the library; what is not named has its default."""
    if isinstance(members.get("kernel"), str):
        members["kernel"] = members["kernel"].encode()
    return Options(**{"size": ctypes.sizeof(Options), **members})


@contextmanager
def opened(library: Library, folder: Path, **members: Any) -> Iterator[ctypes.c_void_p]:
    """Open an artifact and close it again."""
    engine = library.open(os.fsencode(folder), options(**members))
    try:
        yield engine
    finally:
        library.close(engine)


def score(library: Library, engine: ctypes.c_void_p, pairs: Sequence[Pair]) -> NDArray[np.uint32]:
    """Score pairs in one call and give the logits' bits; half of each pair is of type 0."""
    lengths = np.array([len(pair) for pair in pairs], np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.concatenate(pairs).astype(np.int32)
    first = lengths if library.describe(engine).token_types == 1 else lengths // 2
    logits = np.full(len(pairs), np.nan, np.float32)
    library.score(engine, ids, offsets, np.ascontiguousarray(first), len(pairs), logits)
    assert np.isfinite(logits).all()
    return logits.view(np.uint32)


def random_pairs(
    count: int, vocabulary: int, longest: int, *, shortest: int = 1, seed: int = 5
) -> list[Pair]:
    """Return pairs of all sorts of lengths, more short ones than long ones, the ends included."""
    random = np.random.default_rng(seed)
    lengths = np.exp(random.uniform(np.log(shortest), np.log(longest + 1), count)).astype(int)
    lengths[:2] = shortest, longest
    return [random.integers(0, vocabulary, length).astype(np.int32) for length in lengths]
