"""What tests of tuning share: a tiny checkpoint, judged queries, and the command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_rerank.cli import main
from tests.export.conftest import make_checkpoint, tokenizer_file
from tests.support.judged import write_judged

__all__ = ["make_checkpoint", "tokenizer_file"]

QUICK = ("--epochs", "6", "--rate", "1e-3", "--threads", "1", "--precision", "float32")

Tune = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """A run sets torch's number of threads, which later tests of this process would have."""
    torch = sys.modules.get("torch")  # each test that tunes has imported it
    threads = torch.get_num_threads() if torch else None
    yield
    if torch:
        torch.set_num_threads(threads)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write_judged(tmp_path)


@pytest.fixture
def tune(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tune:
    """Return a function that tunes a checkpoint and returns the exit code and the report."""

    def run(checkpoint: Path, *options: str) -> tuple[int, dict[str, Any]]:
        code = main([*command(checkpoint, files, tmp_path / "tuned"), *options, "--json"])
        printed = capsys.readouterr().out
        return code, json.loads(printed) if printed else {}

    return run


def command(checkpoint: Path, files: tuple[Path, Path], output: Path) -> list[str]:
    """Return the words of a quick run."""
    train, validate = map(str, files)
    words = ["tune", str(checkpoint), "--train", train, "--validate", validate]
    return [*words, "--output", str(output), *QUICK]
