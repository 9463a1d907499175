"""What a comparison of models finds: frozen values, and their form in JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge_rerank.evaluation.bootstrap import CONFIDENCE, RESAMPLES, Estimate, estimates
from edge_rerank.evaluation.measures import MEASURES, per_query

Columns = Mapping[str, Sequence[float]]
"""Each measure's value for each query."""


@dataclass(frozen=True, slots=True)
class QueryTime:
    """Seconds that a query took, one at a time."""

    queries: int
    """How many were timed: those that had documents to rank."""
    median: float
    p95: float
    """95 of 100 queries took less."""

    @classmethod
    def of(cls, seconds: Sequence[float]) -> QueryTime | None:
        """Sum up; None where nothing was timed."""
        import numpy as np

        if not seconds:
            return None
        median, p95 = np.quantile(seconds, [0.5, 0.95]).tolist()
        return cls(len(seconds), median, p95)


def milliseconds(seconds: float) -> str:
    """Return a time with three digits, and never with an exponent."""
    value = seconds * 1000
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class FirstStage:
    """What found the documents that the models rank."""

    name: str
    run: Path | None
    """The file of its run; None for BM25, which ran here."""
    depth: int
    """Most documents of a query that are reranked."""
    pairs: int
    """Documents of all queries together."""
    recall_at_depth: float
    """Share of the relevant documents among those, the mean over the queries: what no model that
    ranks them can pass."""
    index_seconds: float | None
    """What BM25's index of the whole collection took; None for a run."""


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """A model, by the name that its rows have."""

    name: str
    path: Path
    engine: Mapping[str, Any] | None
    """What ran it, as :meth:`Description.to_json` has it; None where it could not be loaded."""
    long_documents: str
    """Whether it cut them or read them in windows."""
    precision: str | None
    size: int | None
    """Bytes of its files; None where its folder is no artifact."""
    load_seconds: float | None
    """From a folder to a model that can score, checksums and self-check included."""
    error: str | None
    """Why it could not be measured, wholly or in part."""


@dataclass(frozen=True, slots=True)
class System:
    """A first stage alone, or what a model makes of its documents."""

    name: str
    first_stage: str
    reranked: bool
    """False for the first stage alone."""
    measures: Mapping[str, Estimate]
    """Of nDCG@10, MRR@10 and Recall@10; none where the model failed."""
    query_time: QueryTime | None
    """None for a run, whose time nobody knows, and where the model failed."""
    peak_bytes: int | None
    """Most memory of its process; None for a run, and where the system does not tell."""
    tokens: int | None
    """That the model read, over all pairs."""
    truncated: int | None
    """Pairs that did not fit into its longest pair whole."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much better one system is than another, over the same queries."""

    first_stage: str
    measure: str
    system: str
    baseline: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """Quality, time and memory of first stages and models on one collection."""

    collection: str
    documents: int
    queries: int
    """How many were asked."""
    judged_queries: int
    """How many the collection has with a relevant document."""
    seed: int | None
    """What a sample of the queries was drawn with; None where all were asked."""
    depth: int
    first_stages: tuple[FirstStage, ...]
    models: tuple[ComparedModel, ...]
    systems: tuple[System, ...]
    """For each first stage: itself, and then each model, in the order in which they were named."""
    differences: tuple[PairedDifference, ...]
    """Within a first stage, of each system and those before it."""

    @property
    def failed(self) -> tuple[ComparedModel, ...]:
        """The models that could not be measured, wholly or in part."""
        return tuple(model for model in self.models if model.error is not None)

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON values; times are in seconds."""
        return {
            **asdict(self),
            "first_stages": [
                {**asdict(stage), "run": None if stage.run is None else str(stage.run)}
                for stage in self.first_stages
            ],
            "models": [{**asdict(model), "path": str(model.path)} for model in self.models],
            "confidence": CONFIDENCE,
            "resamples": RESAMPLES,
        }


@dataclass(slots=True)
class Measured:
    """What one system ranked, as it comes in, and what it took."""

    name: str
    first_stage: str
    reranked: bool
    rankings: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    """Documents and scores of each query, best first."""
    seconds: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    tokens: int = 0
    truncated: int = 0
    error: str | None = None

    def documents(self) -> dict[str, list[str]]:
        """Return each query's documents, best first."""
        return {
            query: [document for document, _ in ranked] for query, ranked in self.rankings.items()
        }

    def system(self, measures: Mapping[str, Estimate]) -> System:
        """Return the figures."""
        whole = self.error is None
        return System(
            name=self.name,
            first_stage=self.first_stage,
            reranked=self.reranked,
            measures=measures,
            query_time=QueryTime.of(self.seconds) if whole else None,
            peak_bytes=self.peak_bytes,
            tokens=self.tokens if whole and self.reranked else None,
            truncated=self.truncated if whole and self.reranked else None,
            error=self.error,
        )


def systems_of(
    measured: Sequence[Measured], judgements: Mapping[str, Mapping[str, int]]
) -> tuple[list[System], list[PairedDifference]]:
    """Measure the systems of one first stage, and compare each with those before it."""
    whole = [system for system in measured if system.error is None]
    columns = [per_query(system.documents(), judgements) for system in whole]
    found: Iterator[Estimate] = iter(estimates(list(_all_columns(columns))))
    measures = {system.name: {name: next(found) for name in MEASURES} for system in whole}
    differences = [
        PairedDifference(whole[one].first_stage, name, whole[one].name, whole[other].name, estimate)
        for one, other in _couples(len(whole))
        for name, estimate in zip(MEASURES, found, strict=False)
    ]
    systems = [system.system(measures.get(system.name, {})) for system in measured]
    return systems, differences


def _all_columns(columns: Sequence[Columns]) -> Iterator[Sequence[float]]:
    """Yield each system's columns, and then those of each couple's differences."""
    for values in columns:
        yield from (values[name] for name in MEASURES)
    for one, other in _couples(len(columns)):
        for name in MEASURES:
            pairs = zip(columns[one][name], columns[other][name], strict=True)
            yield [first - second for first, second in pairs]


def _couples(count: int) -> Iterator[tuple[int, int]]:
    return ((one, other) for one in range(count) for other in range(one))
