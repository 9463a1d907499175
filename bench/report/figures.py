"""Statistics of what was measured, and nothing about how it looks."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Turns = Mapping[int, float]
"""Seconds by round."""


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile, between two values by their distance (numpy's default); share 0 to 1."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True, slots=True)
class Spread:
    """Values in short."""

    count: int
    p50: float
    p95: float
    low: float
    """The first quartile."""
    high: float
    """The third quartile."""


def spread(values: Sequence[float]) -> Spread | None:
    """Sum values up; None when there are none."""
    if not values:
        return None
    low, high = percentile(values, 0.25), percentile(values, 0.75)
    return Spread(len(values), statistics.median(values), percentile(values, 0.95), low, high)


def ratios(theirs: Turns, ours: Turns) -> Spread | None:
    """Return how many times as long the first took, round by round, in the rounds of both."""
    both = sorted(theirs.keys() & ours.keys())
    return spread([theirs[number] / ours[number] for number in both])


def turns(entry: Mapping[str, Any], engine: str) -> dict[int, float]:
    """Return an engine's seconds by round in a measurement; empty when it has none."""
    return {int(number): seconds for number, seconds in entry["seconds"].get(engine, [])}


def padding(entry: Mapping[str, Any], engine: str) -> float | None:
    """Return padded tokens over real ones, less one; None where that is not known."""
    padded = entry["padded"].get(engine)
    return None if padded is None else padded / entry["tokens"] - 1
