"""The record of a run: everything measured, as it was measured, in one small JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_rerank.files import whole_file

FORMAT = 1
FILE = "results.json"
_OF_A_MACHINE = ("cpu", "machine", "features", "usable_threads")


class ResultsError(Exception):
    """The file is not a record that this version reads; the message says why."""


def new_results() -> dict[str, Any]:
    """Return an empty record."""
    return {
        "format": FORMAT,
        "machine": {},
        "engines": {},
        "shapes": {},
        "sections": {},
        "measurements": [],
        "accuracy": {},
        "cold": [],
        "stages": [],
        "peaks": [],
        "model_bytes": {},
    }


def read_results(folder: Path) -> dict[str, Any]:
    """Read a folder's record, or begin one; raises ResultsError."""
    file = folder / FILE
    if not file.exists():
        return new_results()
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{file}: cannot be read: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ResultsError(f"{file}: is not a record of format {FORMAT}; remove it to begin anew")
    return found


def check_same_machine(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ResultsError where a folder's record has measurements of another machine.

    One report describes one machine: its peak is what every share of the limit is taken of.
    """
    other = [name for name in _OF_A_MACHINE if before.get(name) != now.get(name)]
    if before and other:
        differ = "; ".join(
            f"{name}: {before.get(name)} there, {now.get(name)} here" for name in other
        )
        raise ResultsError(
            f"{folder / FILE}: holds measurements of another machine ({differ}); "
            "--output takes another folder for this one's"
        )


def write_results(folder: Path, results: Mapping[str, Any]) -> None:
    """Write the record, whole or not at all; figures to six digits, one measurement a line."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / FILE) as stream:
        stream.write(as_text(results).encode())


def as_text(results: Mapping[str, Any]) -> str:
    """Return the record as JSON that a person can read and a diff can follow."""
    parts = []
    for name, value in results.items():
        if isinstance(value, list) and value:
            lines = ",\n  ".join(_compact(entry) for entry in value)
            parts.append(f"{json.dumps(name)}: [\n  {lines}\n ]")
        elif isinstance(value, dict) and value:
            entries = (f"{json.dumps(key)}: {_compact(value[key])}" for key in sorted(value))
            parts.append(f"{json.dumps(name)}: {{\n  " + ",\n  ".join(entries) + "\n }")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value)}")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(_rounded(value), ensure_ascii=False)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return value
