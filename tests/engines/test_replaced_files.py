"""A model's files written over while it is loaded, as by the updater of a desktop application."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.engines.onnx.runtime import import_onnxruntime

onnxruntime = import_onnxruntime("these tests are about it")

SCRIPT = """
import json, sys
from edge_rerank import Reranker

def logits(model):
    documents = [f"river {place} bank of money" for place in range(20)] + ["zebra", "jukebox"]
    return [result.logit for result in model.rank("how do plants eat", documents)]

with Reranker.load(engine="onnxruntime", threads=1) as untouched:
    expected = logits(untouched)
with Reranker.load(sys.argv[1], engine="onnxruntime", threads=1) as model:
    print("loaded", flush=True)
    sys.stdin.readline()
    assert logits(model) == expected
"""


def zeros(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.write(bytes(path.stat().st_size))


def cut(path: Path) -> None:
    os.truncate(path, 10)


@pytest.mark.skipif(
    not hasattr(onnxruntime.SessionOptions, "add_external_initializers_from_files_in_memory"),
    reason="this release of ONNX Runtime maps the weights",
)
@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be written to there")
@pytest.mark.parametrize("name", ["model.safetensors", "model.onnx", "tokenizer.json"])
@pytest.mark.parametrize("spoil", [zeros, cut, Path.unlink])
def test_a_loaded_model_does_not_notice(tmp_path: Path, name: str, spoil: Any) -> None:
    folder = Path(shutil.copytree(builtin_model(), tmp_path / "model"))
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)],
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
