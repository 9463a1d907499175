"""A loaded model's files, written over as by the updater of a desktop application."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from edge_rerank.artifact.builtin import builtin_model

_SCRIPT = """
import sys
from edge_rerank import Reranker

def logits(model):
    documents = [f"river {place} bank of money" for place in range(20)] + ["zebra", "jukebox"]
    return [result.logit for result in model.rank("how do plants eat", documents)]

folder, engine = sys.argv[1:]
with Reranker.load(engine=engine, threads=1) as untouched:
    expected = logits(untouched)
with Reranker.load(folder, engine=engine, threads=1) as model:
    print("loaded", flush=True)
    sys.stdin.readline()
    assert logits(model) == expected
"""


def zeros(path: Path) -> None:
    """Write zeros over all of a file."""
    with path.open("r+b") as stream:
        stream.write(bytes(path.stat().st_size))


def cut(path: Path) -> None:
    """Leave the beginning of a file alone."""
    os.truncate(path, 10)


def check_unnoticed(engine: str, name: str, spoil: Callable[[Path], None], scratch: Path) -> None:
    """Spoil a file of the built-in model's copy while a process has it open, which must not notice.

    It is a process of its own, since one that reads a mapped file that was cut is ended.
    """
    folder = Path(shutil.copytree(builtin_model(), scratch / "model"))
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(folder), engine],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        spoil(folder / name)
        _, err = process.communicate("go\n", timeout=120)
    assert process.returncode == 0, err
