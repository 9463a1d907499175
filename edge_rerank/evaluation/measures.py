"""nDCG@10, MRR@10 and Recall@10 of rankings, and whether a difference between systems is chance.

The measures are those of trec_eval. Its nDCG has the grade itself as gain and log2(1 + rank) as
discount (Jarvelin and Kekalainen 2002, ACM TOIS 20), and its ideal ranking holds every judged
document, found or not, so what the first stage missed costs every system the same. A document is
relevant if its grade is above 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_rerank.evaluation._libraries import library

Rankings = Mapping[str, Sequence[str]]
"""For each query, document ids, best first."""
Judgements = Mapping[str, Mapping[str, int]]

CUT = 10
MEASURES = (f"nDCG@{CUT}", f"MRR@{CUT}", f"Recall@{CUT}")
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one system is than another, query by query."""

    measure: str
    system: str
    baseline: str
    mean: float
    """Mean of system less baseline, over the queries."""
    low: float
    """Lower end of the 95 % confidence interval of the mean; with ``high``."""
    high: float
    p_value: float
    """Chance of a difference at least as large if there were none; paired t-test, two-sided."""


def per_query(rankings: Rankings, judgements: Judgements) -> dict[str, list[float]]:
    """Return each measure's value for each query, in the order of the judgements.

    A query that is not among the rankings found nothing.
    """
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for query, grades in judgements.items():
        ranked = rankings.get(query, ())[:CUT]
        values = _gain(ranked, grades), _reciprocal_rank(ranked, grades), recall(ranked, grades)
        for name, value in zip(MEASURES, values, strict=True):
            found[name].append(value)
    return found


def recall(ranked: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return the share of a query's relevant documents that are among the ranked ones."""
    relevant = {document for document, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranked)) / len(relevant)


def _gain(ranked: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return nDCG: the discounted sum of the grades over that of the best possible ranking."""
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:CUT]
    found = (max(grades.get(document, 0), 0) for document in ranked)
    return _discounted(found) / _discounted(ideal)


def _discounted(grades: Iterable[int]) -> float:
    return math.fsum(grade / math.log2(1 + rank) for rank, grade in enumerate(grades, 1))


def _reciprocal_rank(ranked: Sequence[str], grades: Mapping[str, int]) -> float:
    places = (rank for rank, document in enumerate(ranked, 1) if grades.get(document, 0) > 0)
    return 1 / next(places, math.inf)


def difference(
    measure: str,
    system: tuple[str, Sequence[float]],
    baseline: tuple[str, Sequence[float]],
) -> Difference:
    """Test the paired differences of two systems' values for the same queries.

    The paired t-test (Student 1908), with its interval: on rankings it agrees with randomisation
    (Smucker, Allan and Carterette 2007, CIKM) and keeps its error rate (Urbano, Lima and Hanjalic
    2019, SIGIR).
    """
    pairs = list(zip(system[1], baseline[1], strict=True))
    changes = [one - other for one, other in pairs]
    mean = math.fsum(changes) / len(changes)
    if len(set(changes)) == 1:  # no spread to judge by: the same for every query
        p_value = 1.0 if mean == 0 else 0.0
        return Difference(measure, system[0], baseline[0], mean, mean, mean, p_value)
    result = library("scipy.stats").ttest_rel([a for a, _ in pairs], [b for _, b in pairs])
    low, high = result.confidence_interval(CONFIDENCE)
    return Difference(
        measure, system[0], baseline[0], mean, float(low), float(high), float(result.pvalue)
    )
