"""How well a model ranks a test collection: BM25's best, reranked, against the judgements.

Needs the extra ``evaluation``; the rest of the package never imports this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge_rerank.errors import InputError
from edge_rerank.evaluation._libraries import check_libraries
from edge_rerank.evaluation.bootstrap import Estimate
from edge_rerank.evaluation.collection import Collection, read_collection
from edge_rerank.evaluation.comparing import compare
from edge_rerank.evaluation.figures import (
    ComparedModel,
    FirstStage,
    ModelComparison,
    PairedDifference,
    QueryTime,
    System,
)
from edge_rerank.evaluation.first_stage import bm25_rankings
from edge_rerank.evaluation.measures import MEASURES, Difference, difference, per_query
from edge_rerank.pairs import Pair
from edge_rerank.reranker import Reranker
from edge_rerank.verification.comparison import Comparison, compare_by_query, logits_of, usual_sigma

__all__ = [
    "Collection",
    "ComparedModel",
    "Difference",
    "Estimate",
    "Evaluation",
    "FirstStage",
    "ModelComparison",
    "PairedDifference",
    "QueryTime",
    "System",
    "check_libraries",
    "compare",
    "evaluate",
    "read_collection",
]

DEPTH = 100
BM25, REFERENCE, MODEL = "BM25", "reference", "model"
Rankings = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of BM25, the model and, where there is one, the reference on one collection."""

    collection: str
    queries: int
    documents: int
    depth: int
    """Most documents of a query that were reranked."""
    pairs: int
    recall: float
    """Share of the relevant documents that BM25 put among those; the mean over the queries."""
    means: Mapping[str, Mapping[str, float]]
    """For each system, each measure's mean over the queries."""
    differences: tuple[Difference, ...]
    comparison: Comparison | None
    """The model's logits against the reference's, over all pairs; None without a reference."""

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON values."""
        comparison = None if self.comparison is None else self.comparison.to_json()
        return {**asdict(self), "comparison": comparison}


def evaluate(
    collection: Collection,
    reranker: Reranker,
    reference: Reranker | None = None,
    *,
    depth: int = DEPTH,
    report: Callable[[str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Rerank BM25's best ``depth`` documents of each query, and measure.

    ``report`` is told what is being done, ``progress`` how many pairs are scored.

    Raises InputError for a depth below 1 or a collection for which BM25 finds nothing,
    MissingExtraError before any work, and what scoring raises.
    """
    check_libraries()
    if depth < 1:
        raise InputError(f"depth is {depth}; expected a whole number from 1")
    tell = report or (lambda line: None)
    tell(f"ranking {len(collection.documents):,} documents with BM25")
    found = bm25_rankings(collection.documents, collection.queries, depth)
    pairs = list(_pairs(collection, found))
    if not pairs:
        raise InputError(f"{collection.name}: no query shares a word with any document")
    rankings: dict[str, Rankings] = {BM25: found}
    logits: dict[str, list[float]] = {}
    for name, system in ((REFERENCE, reference), (MODEL, reranker)):
        if system is not None:
            tell(f"scoring {len(pairs):,} pairs with the {name}")
            logits[name] = logits_of(system, pairs, progress, done=len(pairs) * len(logits))
            rankings[name] = _reranked(found, logits[name])
    comparison = None
    if reference is not None:
        asked = [query for query, _ in pairs]
        comparison = compare_by_query(
            asked, logits[MODEL], logits[REFERENCE], usual_sigma=usual_sigma(reference)
        )
    return _figures(collection, depth, rankings, len(pairs), comparison)


def _pairs(collection: Collection, found: Rankings) -> Iterator[Pair]:
    for query, ranked in found.items():
        for document in ranked:
            yield collection.queries[query], collection.documents[document]


def _reranked(found: Rankings, logits: Sequence[float]) -> dict[str, list[str]]:
    """Order each query's documents by logit; equal ones keep BM25's order."""
    rankings, place = {}, 0
    for query, ranked in found.items():
        scores = dict(zip(ranked, logits[place : place + len(ranked)], strict=True))
        rankings[query] = sorted(ranked, key=scores.__getitem__, reverse=True)
        place += len(ranked)
    return rankings


def _figures(
    collection: Collection,
    depth: int,
    rankings: Mapping[str, Rankings],
    pairs: int,
    comparison: Comparison | None,
) -> Evaluation:
    values = {name: per_query(ranked, collection.judgements) for name, ranked in rankings.items()}
    baselines = [name for name in (REFERENCE, BM25) if name in values]
    return Evaluation(
        collection=collection.name,
        queries=len(collection.queries),
        documents=len(collection.documents),
        depth=depth,
        pairs=pairs,
        recall=_recall(rankings[BM25], collection),
        means={
            name: {measure: _mean(column) for measure, column in columns.items()}
            for name, columns in values.items()
        },
        differences=tuple(
            difference(measure, (MODEL, values[MODEL][measure]), (name, values[name][measure]))
            for name in baselines
            for measure in MEASURES
        ),
        comparison=comparison,
    )


def _recall(found: Rankings, collection: Collection) -> float:
    shares = []
    for query, grades in collection.judgements.items():
        relevant = {document for document, grade in grades.items() if grade > 0}
        shares.append(len(relevant & set(found[query])) / len(relevant))
    return _mean(shares)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
