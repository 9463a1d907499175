"""Models side by side on a judged collection: how well they rank, how fast, in how much memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import SupportsIndex

from edge_rerank.description import EngineChoice, Kernel, ThreadsChoice
from edge_rerank.errors import InputError, shown
from edge_rerank.evaluation.choices import Choice, choices_of
from edge_rerank.evaluation.collection import Collection, read_collection
from edge_rerank.evaluation.figures import (
    ComparedModel,
    Measured,
    ModelComparison,
    QueryTime,
    milliseconds,
    systems_of,
)
from edge_rerank.evaluation.measures import MEASURES, per_query
from edge_rerank.evaluation.ranking import Hearer, measure
from edge_rerank.evaluation.runs import RunFolder
from edge_rerank.evaluation.stages import BM25, Found, find, stage_names
from edge_rerank.windows.options import LongDocuments, Windows, reading

Name = str | os.PathLike[str]
DEPTH = 100


def compare(
    collection: Name | Collection,
    models: Sequence[Name | None] | Mapping[str, Name | None] = (None,),
    *,
    first_stages: Sequence[Name] = (BM25,),
    depth: int = DEPTH,
    queries: int | None = None,
    seed: int = 0,
    engines: Sequence[EngineChoice] = ("auto",),
    kernel: Kernel | None = None,
    threads: SupportsIndex | ThreadsChoice | None = None,
    max_length: int | None = None,
    long_documents: LongDocuments | Windows | Sequence[LongDocuments | Windows] = "truncate",
    query_max_tokens: SupportsIndex | None = None,
    output_runs: Name | None = None,
    report: Callable[[str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> ModelComparison:
    """Let models rank what first stages find, and measure quality, time and memory.

    Every model runs in a process of its own, one after the other. One that fails has its error in
    its place; the others are measured all the same. No extra is needed.

    Args:
        collection: a folder in the BEIR layout, or one that was read.
        models: folders, None for the built-in model; a mapping names them.
        first_stages: ``bm25``, or files of TREC runs; every model ranks the documents of each.
        depth: the most documents of a query that are reranked.
        queries: ask that many, drawn at random; None asks all that have a relevant document.
        seed: what they are drawn with.
        engines: as for :meth:`Reranker.load`; with several, each model is measured with each.
        kernel: as for :meth:`Reranker.load`.
        threads: as for :meth:`Reranker.load`.
        max_length: as for :meth:`Reranker.load`.
        long_documents: as for :meth:`Reranker.rank`; with a list, each model reads in each way.
        query_max_tokens: as for :meth:`Reranker.rank`.
        output_runs: a folder for the runs of all systems in TREC's format, each written when it is
            whole.
        report: told what is being done.
        progress: told how many pairs are scored.

    Raises InputError for a parameter, a collection or a run, before any model is loaded; what
    loading raises where no model's folder can be used; EngineError where no process can be started;
    and OSError where a run cannot be written.
    """
    _check_counts(depth=depth, queries=queries)
    stages = tuple(os.fspath(stage) for stage in first_stages)
    names = stage_names(stages)
    settings = {"kernel": kernel, "threads": threads, "max_length": max_length}
    readings = [reading(how, query_max_tokens) for how in _listed(long_documents)]
    choices = choices_of(models, engines, settings, readings, taken=names)
    judged = collection if isinstance(collection, Collection) else read_collection(collection)
    asked = sample(judged, queries, seed)
    folder = None if output_runs is None else RunFolder(output_runs, asked)
    hearer = Hearer(report or (lambda line: None), progress or (lambda count: None))
    found = []
    for stage, name in zip(stages, names, strict=True):
        hearer.report(f"{name}: finding documents for {len(asked.queries):,} queries")
        found.append(find(stage, name, asked, depth))
        if folder:
            folder.write(found[-1].measured)
    measured = _measure_all(choices, asked, found, hearer, folder)
    return _comparison(judged, asked, seed, found, measured)


def sample(collection: Collection, count: int | None, seed: int) -> Collection:
    """Return the collection with ``count`` of its queries, in their order; all for None."""
    if count is None or count >= len(collection.queries):
        return collection
    chosen = set(Random(seed).sample(list(collection.queries), count))
    return Collection(
        name=collection.name,
        documents=collection.documents,
        queries={query: text for query, text in collection.queries.items() if query in chosen},
        judgements={
            query: grades for query, grades in collection.judgements.items() if query in chosen
        },
    )


def _check_counts(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not count >= 1):
            raise InputError(f"{name} is {shown(count)}; expected a whole number from 1")


def _listed(
    long_documents: LongDocuments | Windows | Sequence[LongDocuments | Windows],
) -> Sequence[LongDocuments | Windows]:
    return (long_documents,) if isinstance(long_documents, (str, Windows)) else long_documents


def _measure_all(
    choices: Sequence[Choice],
    asked: Collection,
    found: Sequence[Found],
    hearer: Hearer,
    folder: RunFolder | None,
) -> list[tuple[ComparedModel, list[Measured]]]:
    measured = []
    for choice in choices:
        model, rows = measure(choice, asked, found, hearer)
        measured.append((model, rows))
        for row in (row for row in rows if row.error is None):
            hearer.report(_in_short(row, asked))
            if folder:
                folder.write(row, first_stage=row.first_stage if len(found) > 1 else None)
    return measured


def _in_short(row: Measured, asked: Collection) -> str:
    """Say what was found, so that it is known though the run may not come to its end."""
    gains = per_query(row.documents(), asked.judgements)[MEASURES[0]]
    time = QueryTime.of(row.seconds)
    taken = "" if time is None else f", {milliseconds(time.median)} ms a query"
    name = f"{row.name} after {row.first_stage}"
    return f"{name}: {MEASURES[0]} {sum(gains) / len(gains):.3f}{taken}"


def _comparison(
    judged: Collection,
    asked: Collection,
    seed: int,
    found: Sequence[Found],
    measured: Sequence[tuple[ComparedModel, list[Measured]]],
) -> ModelComparison:
    columns = [
        systems_of([one.measured, *(rows[place] for _, rows in measured)], asked.judgements)
        for place, one in enumerate(found)
    ]
    return ModelComparison(
        collection=judged.name,
        documents=len(judged.documents),
        queries=len(asked.queries),
        judged_queries=len(judged.queries),
        seed=None if len(asked.queries) == len(judged.queries) else seed,
        depth=found[0].stage.depth,
        first_stages=tuple(one.stage for one in found),
        models=tuple(model for model, _ in measured),
        systems=tuple(system for systems, _ in columns for system in systems),
        differences=tuple(difference for _, rows in columns for difference in rows),
    )
