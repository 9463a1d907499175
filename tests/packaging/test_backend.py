"""What a build asks for: a compiler where the native engine is built, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from native.backend import COMPILER
from tests.support.tree import ROOT, copy_tree

_ASK = "import json; from native import backend; print(json.dumps(backend.get_requires_for_{}()))"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(tmp_path_factory.mktemp("clone"))


@pytest.mark.parametrize("what", ["build_wheel", "build_editable", "build_sdist"])
@pytest.mark.parametrize(
    ("native", "target", "compiler"),
    [("", "linux-x86_64", True), ("1", "linux-x86_64", True), ("auto", "windows-x86_64", True),
     ("0", "linux-x86_64", False)],
)  # fmt: skip
def test_a_compiler_is_asked_for_where_one_is_needed(
    clone: Path, what: str, native: str, target: str, compiler: bool
) -> None:
    variables = {"EDGE_RERANK_BUILD_NATIVE": native, "EDGE_RERANK_TARGET": target}
    done = subprocess.run(
        [sys.executable, "-c", _ASK.format(what)],
        cwd=clone, env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked = json.loads(done.stdout.splitlines()[-1])
    assert asked == ([COMPILER] if compiler and what != "build_sdist" else [])


def test_the_compiler_is_the_one_that_the_tests_install() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'"{COMPILER}; ' in text
    assert 'requires = ["setuptools>=77"]' in text
