"""The one way to onnxruntime: nothing else imports it, old releases are refused by name."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_rerank import EngineError, Reranker
from edge_rerank.engines.onnx.runtime import OLDEST, disable_telemetry, import_onnxruntime
from tests.support.tree import ROOT, tree_files

_RUNTIME = "edge_rerank/engines/onnx/runtime.py"
_WORKERS = "bench/worker/"  # run where our package is not installed; its __init__ sets the variable
_BRINGING = frozenset({"fastembed", "flashrank", "onnxruntime", "optimum", "sentence_transformers"})
_CALLS = frozenset({"import_module", "importorskip", "__import__"})


def imported(path: Path) -> Iterator[str]:
    """Yield the top-level names of what a file imports, by a statement or by a call."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            name = called.id if isinstance(called, ast.Name) else called
            first = node.args[0]
            if name in _CALLS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                names = [first.value]
        yield from (name.partition(".")[0] for name in names)


def test_only_one_file_imports_it() -> None:
    files = [name for name in tree_files() if name.endswith(".py")]
    found = {name for name in files if "onnxruntime" in set(imported(ROOT / name))}
    assert {name for name in found if not name.startswith(_WORKERS)} == {_RUNTIME}


def test_what_brings_it_along_comes_after_the_setting() -> None:
    for name in tree_files():
        if not name.endswith(".py") or name == _RUNTIME or name.startswith(_WORKERS):
            continue
        names = set(imported(ROOT / name))
        if names & _BRINGING:
            text = (ROOT / name).read_text("utf-8")
            inside = name.startswith("export/")  # its __init__ sets the variable
            assert inside or "disable_telemetry()" in text or "edge_rerank_export" in names, name


@pytest.mark.parametrize("package", ["edge_rerank_export", "edge_rerank_bench.worker"])
def test_importing_these_sets_the_variable(package: str) -> None:
    code = f"import os, {package}; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    variables = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_the_user_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    disable_telemetry()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    import_onnxruntime("a test")
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


@pytest.mark.parametrize("version", ["1.20.0", "1.20.1", "1.9.0", "0.5"])
def test_an_old_release_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(import_onnxruntime("a test"), "__version__", version)
    with pytest.raises(EngineError) as caught:
        Reranker.load(engine="onnxruntime")
    for piece in (f"onnxruntime {version} ", "wrong scores", f"'onnxruntime>={OLDEST}'"):
        assert piece in str(caught.value)


@pytest.mark.parametrize("version", ["1.21.0", "1.32.0", "1.33.0.dev20260101", "2.0", "unknown"])
def test_later_releases_are_not(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(import_onnxruntime("a test"), "__version__", version)
    import_onnxruntime("a test")


def test_a_missing_one_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineError) as caught:
        Reranker.load(engine="onnxruntime")
    for piece in ("onnxruntime cannot be imported", "it was asked for", "pip install 'onnxruntime"):
        assert piece in str(caught.value)


def test_what_pyproject_requires_is_what_is_checked() -> None:
    assert f'"onnxruntime>={OLDEST}"' in (ROOT / "pyproject.toml").read_text("utf-8")
