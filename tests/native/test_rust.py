"""The example in Rust, compiled and run where there is a compiler for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.artifact.folder import Artifact
from edge_rerank.native_library import Library, library_file
from native.toolchain import ROOT

pytestmark = pytest.mark.build
QUERY = "list files sorted by size"
TEXTS = ("rm -r removes a directory — and all in it.", "ls -S prints the largest file first.")


@pytest.fixture(scope="module")
def program(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the example against the library in the package."""
    if shutil.which("rustc") is None or shutil.which("cc") is None:
        pytest.skip("rustc, or the cc that it links with, is not installed")
    made = tmp_path_factory.mktemp("rust") / "rank"
    folder = library_file().parent
    command = ["rustc", "-D", "warnings", "-L", str(folder), "-o", str(made)]
    source = str(ROOT / "example" / "rank.rs")
    subprocess.run([*command, "-C", f"link-arg=-Wl,-rpath,{folder}", source], check=True)
    return made


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env={}, capture_output=True, text=True, check=False, timeout=60)


def test_it_gives_the_bits_that_python_gives(program: Path, builtin: Artifact) -> None:
    with Reranker.load() as reranker:
        expected = reranker.predict([(QUERY, text) for text in TEXTS], scores="logits")
    done = run(str(program), str(builtin.path), QUERY, *TEXTS)
    assert done.returncode == 0, done.stderr
    found = np.array(done.stdout.split(), np.float32)
    np.testing.assert_array_equal(found, expected)
    assert found[1] > found[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [(("/nowhere", "a", "b"), "/nowhere/manifest.json"), (("/nowhere",), "usage: rank FOLDER")],
)
def test_it_says_what_is_wrong(program: Path, words: tuple[str, ...], message: str) -> None:
    done = run(str(program), *words)
    assert done.returncode == 1
    assert message in done.stderr
