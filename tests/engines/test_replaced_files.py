"""A model's files written over while it is loaded, as by the updater of a desktop application."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from edge_rerank.engines.onnx.runtime import import_onnxruntime
from tests.support.replacing import check_unnoticed, cut, zeros

onnxruntime = import_onnxruntime("these tests are about it")


@pytest.mark.skipif(
    not hasattr(onnxruntime.SessionOptions, "add_external_initializers_from_files_in_memory"),
    reason="this release of ONNX Runtime maps the weights",
)
@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be written to there")
@pytest.mark.parametrize("name", ["model.safetensors", "model.onnx", "tokenizer.json"])
@pytest.mark.parametrize("spoil", [zeros, cut, Path.unlink])
def test_a_loaded_model_does_not_notice(tmp_path: Path, name: str, spoil: Any) -> None:
    check_unnoticed("onnxruntime", name, spoil, tmp_path)
