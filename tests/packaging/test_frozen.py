"""An application made by PyInstaller, without flags: it has the model and the native library."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

from tests.native.conftest import missing
from tests.support.environments import fresh_environment, link_distributions

pytestmark = pytest.mark.build
_APPLICATION = """
import json, sys
from edge_rerank import Reranker
query, *texts = sys.argv[2:]
with Reranker.load(engine=sys.argv[1]) as reranker:
    found = reranker.describe()
    print(json.dumps([found.engine, [hit.index for hit in reranker.rank(query, texts)]]))
"""
QUERY = "list files sorted by size"
TEXTS = ("rm -r removes a directory and all that is in it.", "ls -S prints the largest first.")


@pytest.fixture(scope="module", params=["--onedir", "--onefile"])
def application(
    wheel: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Freeze a program that ranks, as a folder and as one file; returns the program's path.

    Only what the package needs is there: onnxruntime drags along all that it can make use of.
    """
    if importlib.util.find_spec("PyInstaller") is None:
        missing("PyInstaller is not installed")
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "ranker.py").write_text(_APPLICATION, "utf-8")
    libraries = tmp_path_factory.mktemp("libraries")
    link_distributions(libraries, "numpy", "onnxruntime", "tokenizers", "pyinstaller")
    environment = fresh_environment(folder / "venv", [str(libraries)])
    assert environment.install(str(wheel)).returncode == 0
    done = environment.run(
        "python", "-I", "-m", "PyInstaller", request.param, "ranker.py", folder=folder
    )
    assert done.returncode == 0, done.stderr[-4000:]
    made = folder / "dist" / "ranker"
    return made / "ranker" if request.param == "--onedir" else made


@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
def test_it_ranks_with_what_it_carries(application: Path, engine: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(application), engine, QUERY, *TEXTS],
        cwd=tmp_path, env={}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = "native" if engine == "auto" else engine
    assert json.loads(done.stdout) == [expected, [1, 0]]
    assert done.stderr == ""
