"""Means over queries, and how far chance may have moved them: the bootstrap.

The queries are drawn anew, with replacement, as many times as RESAMPLES says; where 95 % of the
means lie is the interval (Efron 1979; for rankings Sakai 2006, SIGIR). All systems are measured on
the same draws, so that an interval of a difference is a paired one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 10_000
_SEED = 0
_AT_A_TIME = 1 << 22  # values held of a set of draws


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over the queries, and its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether all of the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


def estimates(columns: Sequence[Sequence[float]]) -> list[Estimate]:
    """Return the mean of each column, a value for each query, with its interval."""
    import numpy as np

    values = np.array(columns, np.float64).T
    means = _resampled(values)
    tail = (1 - CONFIDENCE) / 2
    lows, highs = np.quantile(means, [tail, 1 - tail], axis=0)
    found = zip(values.mean(axis=0).tolist(), lows.tolist(), highs.tolist(), strict=True)
    return [Estimate(*figures) for figures in found]


def _resampled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means of RESAMPLES draws of rows; the same draws for the same number of rows."""
    import numpy as np

    rng = np.random.default_rng(_SEED)
    rows = len(values)
    each = max(1, _AT_A_TIME // rows)
    found = []
    for start in range(0, RESAMPLES, each):
        draws = min(each, RESAMPLES - start)
        chosen = rng.integers(rows, size=(draws, rows)) + rows * np.arange(draws)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=draws * rows).reshape(draws, rows)
        found.append(counts @ values / rows)
    return np.concatenate(found)
