"""The command as a process, for tests of what only a process shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "edge_rerank"]
LINE = b'{"query": "eat", "document": "plants"}\n'


def run(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end; ``environment`` is added to this one's."""
    environment = {**os.environ, **options.pop("environment", {})}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [*COMMAND, *map(str, words)], env=environment, timeout=120, **{**pipes, **options}
    )


def shell(script: str, *words: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a script for ``sh``, in which "$@" is the command with these words."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, **options.pop("environment", {})}
    line = ["sh", "-c", script, "sh", *COMMAND, *map(str, words)]
    return subprocess.run(line, env=environment, timeout=120, **{**pipes, **options})


def write_pairs(path: Path, count: int, *, bad: int | None = None) -> Path:
    """Write ``count`` pairs, and a bad line after ``bad`` of them."""
    lines = [
        json.dumps({"id": place, "query": f"eat {place % 7}", "document": "water " * (place % 9)})
        for place in range(count)
    ]
    if bad is not None:
        lines.insert(bad, "{oops")
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def ids(path: Path) -> list[int]:
    """Return the ids of scored lines."""
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def partials(folder: Path) -> list[Path]:
    """Return the files of unfinished output."""
    return sorted(folder.glob("*.partial"))


def tiny(folder: Path) -> tuple[str, str, str, str]:
    """Name the tiny model with the one engine that runs it: without, that is worth a warning."""
    return ("--model", str(folder), "--engine", "onnxruntime")
