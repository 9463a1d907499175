"""One wheel on every CPython that is here, and the oldest one with the oldest libraries allowed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native.conftest import missing
from tests.packaging.test_lowest import lowest

pytestmark = [
    pytest.mark.build,
    pytest.mark.skipif(os.name == "nt", reason="looks where Unix has its programs"),
]
LIBRARIES = ("numpy", "onnxruntime", "tokenizers")
PAIRS = [
    ("list files", "rm removes a file."),
    ("list files sorted by size", "ls -S prints the largest file first."),
]
_SCORE = """
import json, sys
from edge_rerank import Reranker
pairs, engine = json.loads(sys.argv[1]), sys.argv[2]
with Reranker.load(engine=engine) as reranker:
    scores = reranker.predict([tuple(pair) for pair in pairs], scores="logits")
    assert reranker.describe().engine == engine
    assert [hit.index for hit in reranker.rank(pairs[1][0], [p[1] for p in pairs])] == [1, 0]
print(json.dumps([float(score) for score in scores]))
"""


def interpreters() -> dict[int, Path]:
    """Return the interpreters that are here, by the second number of their version."""
    found: dict[int, Path] = {}
    for minor in range(8, 20):
        places = [Path(folder) / f"python3.{minor}" for folder in os.get_exec_path()]
        places += sorted((Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/python"))
        usable = (place for place in places if place.is_file() and version(place) == [3, minor])
        chosen = next(usable, None)
        if chosen is not None:
            found[minor] = chosen
    found[sys.version_info.minor] = Path(sys.executable)
    return found


def version(python: Path) -> list[int]:
    """Return an interpreter's version; nothing where it cannot make environments."""
    program = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, check=False)
    return list(map(int, done.stdout.split())) if done.returncode == 0 else []


def install(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    command += ["-q", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check"]
    if not folder.exists():
        subprocess.run([python, "-I", "-m", "venv", "--without-pip", folder], check=True)
    return subprocess.run([*command, *words], capture_output=True, text=True, check=False)


def scores(folder: Path, engine: str) -> list[float]:
    command = [str(folder / "bin" / "python"), "-I", "-c", _SCORE, json.dumps(PAIRS), engine]
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_every_python_gives_the_same_bits(wheel: Path, tmp_path: Path) -> None:
    found: dict[int, list[float]] = {}
    for minor, python in interpreters().items():
        if minor < 10:
            continue
        folder = tmp_path / str(minor)
        fetched = install(python, folder, "numpy>=1.26")
        if "No matching distribution" in fetched.stderr:
            missing(f"numpy cannot be had for Python 3.{minor}")
        assert fetched.returncode == 0, fetched.stderr
        assert install(python, folder, str(wheel)).returncode == 0
        found[minor] = scores(folder, "native")
    assert sys.version_info.minor in found
    assert len(set(map(tuple, found.values()))) == 1, found


def test_the_oldest_python_with_the_oldest_libraries(wheel: Path, tmp_path: Path) -> None:
    minor, python = min(item for item in interpreters().items() if item[0] >= 10)
    wanted = [f"{name}=={number}" for name, number in lowest().items() if name in LIBRARIES]
    # What onnxruntime needs beside numpy to be imported.
    fetched = install(python, tmp_path / "env", *wanted, "flatbuffers", "packaging", "protobuf")
    if "No matching distribution" in fetched.stderr:
        missing(f"{wanted} cannot be had for Python 3.{minor}")
    assert fetched.returncode == 0, fetched.stderr
    assert install(python, tmp_path / "env", str(wheel)).returncode == 0
    native = scores(tmp_path / "env", "native")
    assert scores(tmp_path / "env", "onnxruntime") == pytest.approx(native, abs=0.2)


def test_an_older_python_is_refused(wheel: Path, tmp_path: Path) -> None:
    older = {minor: path for minor, path in interpreters().items() if minor < 10}
    if not older:
        pytest.skip("there is no Python before 3.10 here")
    subprocess.run([older[max(older)], "-I", "-m", "venv", tmp_path / "env"], check=True)
    done = subprocess.run(  # by its own pip: ours may not run there
        [tmp_path / "env" / "bin" / "python", "-m", "pip", "install", "--no-deps", str(wheel)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "requires a different Python" in done.stderr
