"""Checks of the parameters: numbers and choices."""

from __future__ import annotations

import math
import operator
from typing import SupportsFloat, SupportsIndex

from edge_rerank.description import Scores
from edge_rerank.ending import CancelToken
from edge_rerank.errors import InputError, shown

SCORES = ("sigmoid", "logits")


def top_k(value: SupportsIndex | None) -> int | None:
    """Check ``top_k``: None, or a whole number from 1."""
    return None if value is None else whole(value, "top_k", "a whole number from 1, or None")


def at_a_time(value: SupportsIndex) -> int:
    """Check ``at_a_time``: a whole number from 1."""
    return whole(value, "at_a_time", "a whole number of pairs from 1")


def max_length(value: SupportsIndex | None, most: int) -> int:
    """Check ``max_length`` against the artifact's; None is the artifact's."""
    if value is None:
        return most
    expected = f"a whole number of tokens up to {most}, the most this model takes"
    length = whole(value, "max_length", expected)
    if length > most:
        raise InputError(f"max_length is {length}; expected {expected}")
    return length


def timeout(value: SupportsFloat | None) -> float | None:
    """Check ``timeout``: None, or a number of seconds; what is left of a budget may be below 0."""
    if value is None:
        return None
    try:
        seconds = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if math.isnan(seconds):
        raise InputError(f"timeout is {shown(value)}; expected a number of seconds, or None")
    return seconds


def cancel(value: CancelToken | None) -> CancelToken | None:
    """Check ``cancel``: None, or a CancelToken."""
    if value is not None and not isinstance(value, CancelToken):
        raise InputError(f"cancel is {shown(value)}; expected an edge_rerank.CancelToken, or None")
    return value


def activation(scores: Scores | None, own: str) -> str:
    """Check ``scores``, and name the activation that it asks for; None is the model's own."""
    if scores is None:
        return own
    if scores not in SCORES:
        expected = f"one of {', '.join(SCORES)}, or None for the model's own"
        raise InputError(f"scores is {shown(scores)}; expected {expected}")
    return "identity" if scores == "logits" else scores


def whole(value: SupportsIndex, name: str, expected: str) -> int:
    """Check a whole number from 1; the InputError says what was ``expected`` of ``name``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise InputError(f"{name} is {shown(value)}; expected {expected}")
    return number
