"""Showing rows: as a table for people, as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from tools.emulation.compare import Row

_HEADINGS = (
    *("CPU", "found", "model", "engine", "kernel", "pairs"),
    *("rms / sigma", "max / sigma", "tau", "swapped / sigma", "bits", "s"),
)


def as_json(rows: Sequence[Row]) -> str:
    """Return all figures and problems as one JSON object."""
    content = {"holds": holds(rows), "runs": [asdict(row) for row in rows]}
    return json.dumps(content, indent=2)


def as_table(rows: Sequence[Row]) -> str:
    """Return a Markdown table of the scores and one of ``verify``, and what does not hold."""
    scored, verified = ([row for row in rows if row.verify is verify] for verify in (False, True))
    failed = [f"{_name(row)}: {problem}" for row in rows for problem in row.problems]
    tables = ["Scores against this machine's:", _table(scored)]
    if verified:
        tables += ["edge-rerank verify, errors against fp32:", _table(verified)]
    return "\n\n".join([*tables, "\n".join(failed) or "all of it holds"])


def _table(rows: Sequence[Row]) -> str:
    lines = [_HEADINGS, tuple("---" for _ in _HEADINGS), *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    return "\n".join(
        "| "
        + " | ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )


def as_line(row: Row) -> str:
    """Return what came out of one run, for those who watch."""
    if row.rms is None or row.seconds is None:
        return f"{_name(row)}: {'; '.join(row.problems)}"
    difference = "same bits" if row.differing == 0 else f"{row.rms:.4f} sigma rms"
    if row.verify:
        difference += " from fp32"
    end = "; ".join(row.problems) or "holds"
    return f"{_name(row)}: {row.pairs} pairs, {difference}: {end} ({row.seconds:.0f} s)"


def _name(row: Row) -> str:
    job = f"verify {row.model}" if row.verify else row.model
    return f"{row.cpu}, {job}, {row.engine} {row.kernel or ''}".rstrip()


def holds(rows: Sequence[Row]) -> bool:
    """True when no row has a problem."""
    return not any(row.problems for row in rows)


def _cells(row: Row) -> tuple[str, ...]:
    features = "?" if row.features is None else " ".join(row.features) or "-"
    return (
        row.cpu,
        features,
        row.model,
        row.engine,
        row.kernel or "-",
        str(row.pairs),
        _figure(row.rms, 4),
        _figure(row.largest, 4),
        _figure(row.tau, 4),
        _figure(row.swapped, 4),
        _bits(row),
        _figure(row.seconds, 0),
    )


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _bits(row: Row) -> str:
    if row.differing is None:
        return "-"
    return "same" if row.differing == 0 else f"{row.differing} differ"
