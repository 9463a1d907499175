"""What ``edge-rerank verify`` found, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from edge_rerank.cli.common import path_text
from edge_rerank.cli.own_texts import OwnFigures
from edge_rerank.cli.sections import print_section, readable
from edge_rerank.verification.checks import Check
from edge_rerank.verification.comparison import Comparison
from edge_rerank.verification.report import Verification

if TYPE_CHECKING:
    from edge_rerank.evaluation import Evaluation

_MARKS = {True: "ok", False: "FAILED", None: "not tried"}


def print_verification(report: Verification) -> None:
    """Print what was verified, where, each check, and the verdict."""
    manifest = f"SHA-256 {report.manifest_sha256}"
    facts = {"name": report.name, "folder": path_text(report.path), "precision": report.precision}
    print_section("model", {**facts, "manifest": manifest})
    states = {True: "ok", False: "DIFFERS", None: "not computed"}
    files = {file.name: f"SHA-256 {file.sha256}  {states[file.matches]}" for file in report.files}
    print_section("files", files)
    cpu, engine = report.cpu, report.engine
    features = "unknown" if cpu.features is None else " ".join(cpu.features) or "none of note"
    machine = {"processor": f"{cpu.model or 'unknown'} ({cpu.machine})", "features": features}
    if engine is not None:
        machine |= {"engine": f"{engine.engine} {engine.version}", "threads": str(engine.threads)}
        machine |= readable(engine.to_json()["details"])
    print_section("this machine", machine)
    if report.limits is not None:
        print(f"limits: {report.limits.source}")
    print("checks:")
    print_checks(report.checks)
    cost = f"{len(report.checks)} checks, {report.tokens:,} tokens, {report.seconds:.1f} s"
    print(f"{'holds' if report.holds else 'does NOT hold'}: {cost}")


def print_checks(checks: Iterable[Check]) -> None:
    """Print a line a check; what to do about each that failed."""
    rows = [
        (_MARKS[check.passed], check.name.replace("_", " "), check.found, check.expected)
        for check in checks
    ]
    mark, name, found = (max((len(row[i]) for row in rows), default=0) for i in range(3))
    for row, check in zip(rows, checks, strict=True):
        print(f"  {row[0]:<{mark}}  {row[1]:<{name}}  {row[2]:<{min(found, 50)}}  {row[3]}")
        if check.passed is False:
            print(f"  {'':<{mark}}  -> {check.remedy}")


def print_figures(figures: OwnFigures) -> None:
    """Print a comparison with the reference and an evaluation, where there is one."""
    if figures.comparison is not None:
        _print_comparison("on your pairs, against the reference", figures.comparison)
    if figures.evaluation is not None:
        _print_evaluation(figures.evaluation)
        if figures.evaluation.comparison is not None:
            _print_comparison("on its pairs, against the reference", figures.evaluation.comparison)
    print_checks(figures.checks)


def _print_comparison(title: str, found: Comparison) -> None:
    overall = found.overall
    values = {
        "pairs": f"{overall.pairs:,}, sigma {overall.sigma:.4f}"
        + (" (of the probe pairs: these all score alike)" if overall.alike else ""),
        "rms error": f"{overall.rms_in_sigma:.4f} sigma ({overall.rms_error:.4f} logits)",
        "max error": f"{overall.max_in_sigma:.4f} sigma ({overall.max_error:.4f} logits)",
        "kendall tau": f"{overall.kendall_tau:.4f} over all pairs",
        "top k overlap": f"{overall.top_k_overlap:.2f} of {overall.top_k} over all pairs",
    }
    if found.tau_by_query is not None and found.overlap_by_query is not None:
        values["by query"] = (
            f"kendall tau {found.tau_by_query:.4f}, top k overlap {found.overlap_by_query:.4f}, "
            f"means over {found.queries:,} queries"
        )
    print_section(title, values)


def _print_evaluation(found: Evaluation) -> None:
    print(
        f"collection {found.collection}: {found.queries:,} queries, {found.documents:,} documents, "
        f"{found.pairs:,} pairs; BM25's best {found.depth} hold {found.recall:.3f} of the relevant"
    )
    measures = list(next(iter(found.means.values())))
    print(f"  {'':<10}" + "".join(f"{measure:>9}" for measure in measures))
    for system, means in found.means.items():
        print(f"  {system:<10}" + "".join(f"{means[measure]:>9.4f}" for measure in measures))
    for test in found.differences:
        print(
            f"  {test.measure}, {test.system} less {test.baseline}: {test.mean:+.4f} "
            f"(95 % {test.low:+.4f} to {test.high:+.4f}), p = {test.p_value:.2g}, paired t-test"
        )
