"""What ``edge-rerank compare`` prints for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_rerank.cli.sections import print_section
from edge_rerank.cli.table import columns, fitted
from edge_rerank.evaluation.bootstrap import Estimate
from edge_rerank.evaluation.figures import (
    ComparedModel,
    FirstStage,
    ModelComparison,
    PairedDifference,
    System,
    milliseconds,
)
from edge_rerank.evaluation.measures import MEASURES

_NAME = 48  # columns of a name
_WHY = 160
_Row = Sequence[str]


def print_comparison(found: ModelComparison) -> None:
    """Print the collection, the models, and for each first stage systems and differences."""
    facts = {"documents": f"{found.documents:,}", "queries": _queries(found)}
    print_section("collection", {"name": fitted(found.collection, _WHY), **facts})
    print_section("models", {fitted(model.name, _NAME): _model(model) for model in found.models})
    for stage in found.first_stages:
        print()
        _print_stage(stage, found)
    print()
    print("in brackets: 95 % intervals of the means, by 10,000 draws of the queries; paired where")
    print("systems are compared, and * marks differences that chance alone hardly makes")


def _queries(found: ModelComparison) -> str:
    if found.seed is None:
        return f"{found.queries:,}, all that have a relevant document"
    return f"{found.queries:,} of {found.judged_queries:,}, drawn with seed {found.seed}"


def _model(model: ComparedModel) -> str:
    if model.engine is None:
        return f"failed: {fitted(model.error or '', _WHY)}"
    kernel = model.engine["details"].get("kernel", model.engine["version"])
    threads = model.engine["threads"]
    size = "" if model.size is None else f", {model.size / 1e6:,.1f} MB"
    windows = ", in windows" if model.long_documents == "windows" else ""
    return (
        f"{model.precision}{size}{windows}; engine {model.engine['name']} ({kernel}), {threads} "
        f"{'thread' if threads == 1 else 'threads'}; loaded in {model.load_seconds:.2f} s"
    )


def _print_stage(stage: FirstStage, found: ModelComparison) -> None:
    print(
        f"first stage {fitted(stage.name, _NAME)}: {stage.pairs:,} documents, at most "
        f"{stage.depth:,} of a query; Recall@{stage.depth} {stage.recall_at_depth:.3f}, which no "
        "model can pass"
    )
    systems = [system for system in found.systems if system.first_stage == stage.name]
    head = ("", *MEASURES, "p50 ms", "p95 ms", "memory")
    _print_rows([head, *(_system(system) for system in systems)])
    for system in systems:
        if system.error is not None:
            print(f"  {fitted(system.name, _NAME)} failed: {fitted(system.error, _WHY)}")
    rows = list(_differences(found.differences, stage.name))
    if rows:
        print("difference, the first less the second:")
        _print_rows([("", *MEASURES), *rows])


def _system(system: System) -> _Row:
    name = fitted(system.name, _NAME)
    if system.error is not None:
        return (name, *["failed"] * len(MEASURES), "", "", "")
    time, peak = system.query_time, system.peak_bytes
    return (
        name,
        *(_estimate(system.measures[measure], "") for measure in MEASURES),
        "not known" if time is None else milliseconds(time.median),
        "" if time is None else milliseconds(time.p95),
        "not known" if peak is None else f"{peak / 1e6:,.0f} MB",
    )


def _differences(differences: Sequence[PairedDifference], stage: str) -> Iterator[_Row]:
    """Yield a row for each couple of systems: its difference in each measure."""
    couples: dict[tuple[str, str], dict[str, Estimate]] = {}
    for one in differences:
        if one.first_stage == stage:
            couples.setdefault((one.system, one.baseline), {})[one.measure] = one.estimate
    for (system, baseline), values in couples.items():
        name = f"{fitted(system, _NAME)} - {fitted(baseline, _NAME)}"
        marks = ("*" if values[measure].excludes_zero else " " for measure in MEASURES)
        cells = (_estimate(values[measure], "+") for measure in MEASURES)
        yield (name, *(f"{cell}{mark}" for cell, mark in zip(cells, marks, strict=True)))


def _estimate(estimate: Estimate, sign: str) -> str:
    mean, low, high = (
        f"{value:{sign}.3f}" for value in (estimate.mean, estimate.low, estimate.high)
    )
    return f"{mean} ({low}, {high})"


def _print_rows(rows: Sequence[_Row]) -> None:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first + " " * (widths[0] - _width(first))]
        cells += [
            " " * (width - _width(cell)) + cell
            for cell, width in zip(others, widths[1:], strict=True)
        ]
        print("  " + "  ".join(cells).rstrip())


def _width(text: str) -> int:
    return sum(map(columns, text))
