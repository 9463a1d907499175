"""nDCG@10 and MRR@10 of rankings, and whether a difference between two systems is chance.

The measures are those of trec_eval, through ir_measures. Its nDCG has the grade itself as gain
and log2(1 + rank) as discount (Jarvelin and Kekalainen 2002, ACM TOIS 20), and its ideal ranking
holds every judged document, found or not, so what the first stage missed costs every system the
same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_rerank.evaluation._libraries import library

Rankings = Mapping[str, Sequence[str]]
"""For each query, document ids, best first."""
Judgements = Mapping[str, Mapping[str, int]]

MEASURES = ("nDCG@10", "MRR@10")
_NAMES = {"nDCG@10": "nDCG@10", "RR@10": "MRR@10"}
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
    """Return each measure's value for each query, in the order of the judgements."""
    ir = library("ir_measures")
    wanted = [ir.nDCG @ 10, ir.RR @ 10]
    # trec_eval orders by score, and equal scores by name: ranks as scores keep our order.
    run = {
        query: {document: float(-rank) for rank, document in enumerate(ranked)}
        for query, ranked in rankings.items()
    }
    qrels = {query: dict(grades) for query, grades in judgements.items()}
    found: dict[str, dict[str, float]] = {name: {} for name in MEASURES}
    for metric in ir.iter_calc(wanted, qrels, run):
        found[_NAMES[str(metric.measure)]][metric.query_id] = float(metric.value)
    # A query without any ranked document has no line: it found nothing.
    return {name: [values.get(query, 0.0) for query in qrels] for name, values in found.items()}


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
