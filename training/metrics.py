"""nDCG and its confidence interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

RESAMPLES = 2000


def ndcg(ranking: Sequence[int], grades: Mapping[int, int], cut: int = 10) -> float:
    """Linear gain and log2 discount, as trec_eval has it.

    The ideal ranking holds every graded passage, found or not, so an answer that the first stage
    missed costs every reranker the same.
    """
    discounts = 1 / np.log2(np.arange(2, cut + 2))
    gains = np.array([max(grades.get(passage, 0), 0) for passage in ranking[:cut]], dtype=float)
    ideal = np.array(sorted((g for g in grades.values() if g > 0), reverse=True)[:cut], dtype=float)
    best = float(ideal @ discounts[: len(ideal)])
    return float(gains @ discounts[: len(gains)]) / best if best else 0.0


def interval(values: Sequence[float], seed: int = 0) -> list[float]:
    """95 % bootstrap interval of the mean over queries."""
    array = np.asarray(values)
    rng = np.random.default_rng(seed)
    means = array[rng.integers(0, len(array), (RESAMPLES, len(array)))].mean(axis=1)
    return [round(float(bound), 4) for bound in np.percentile(means, [2.5, 97.5])]


def summary(values: Sequence[float]) -> dict[str, Any]:
    """The figures of one measure over queries, ready for JSON."""
    return {
        "mean": round(float(np.mean(values)), 4),
        "ci95": interval(values),
        "queries": len(values),
    }
