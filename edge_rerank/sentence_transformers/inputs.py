"""What predict takes for one pair, and for many."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from edge_rerank.errors import InputError


def is_one_pair(inputs: Any) -> bool:
    """Say whether ``inputs`` is a pair alone, as sentence-transformers tells."""
    lists: Any = _lists()
    if isinstance(inputs, lists):
        return len(inputs) > 0 and not isinstance(inputs[0], lists)
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind in "UO":
        return bool(inputs.size) and inputs.ndim < 2
    return True


def as_pairs(inputs: Any) -> list[Any]:
    """Return the pairs of what are many; tables and columns are read out."""
    if isinstance(inputs, np.ndarray):
        return list(inputs.tolist())
    return list(inputs)


def with_prompt(pairs: list[Any], prompt: str | None) -> list[Any]:
    """Put the prompt before each query; what is no pair is left for who checks pairs."""
    if not prompt:
        return pairs
    if not isinstance(prompt, str):
        raise InputError(f"prompt is {prompt!r}; expected a string")
    return [
        (prompt + pair[0], *pair[1:])
        if isinstance(pair, (list, tuple)) and pair and isinstance(pair[0], str)
        else pair
        for pair in pairs
    ]


def _lists() -> tuple[type, ...]:
    """Lists, tuples, and the columns of datasets, where that package is in use."""
    datasets = sys.modules.get("datasets")
    column = getattr(datasets, "Column", None)
    return (list, tuple) if column is None else (list, tuple, column)
