"""The example for Node and Electron, installed by npm and run by its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_rerank.artifact.folder import Artifact
from edge_rerank.native_library import Library, library_file
from native.toolchain import ROOT
from tests.native.conftest import missing

pytestmark = pytest.mark.build


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example with what it needs."""
    if shutil.which("npm") is None:
        missing("npm is not installed")
    folder = tmp_path_factory.mktemp("node") / "example"
    shutil.copytree(ROOT / "example" / "node", folder)
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    done = subprocess.run(
        ["npm", "install", *options], cwd=folder, capture_output=True, text=True, check=False
    )
    if "ENOTFOUND" in done.stderr or "ECONNREFUSED" in done.stderr or "EAI_AGAIN" in done.stderr:
        missing("the npm registry is not reachable")
    assert done.returncode == 0, done.stderr
    return folder


def test_its_own_tests_pass(project: Path, library: Library, builtin: Artifact) -> None:
    variables = {
        **os.environ,
        "EDGE_RERANK_LIBRARY": str(library_file()),
        "EDGE_RERANK_MODEL": str(builtin.path),
    }
    done = subprocess.run(
        ["npm", "test"], cwd=project, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "# pass 6" in done.stdout
    assert "# skipped 0" in done.stdout


def test_it_ranks_from_the_command_line(project: Path, library: Library, builtin: Artifact) -> None:
    words = [
        "list files sorted by size",
        "rm -r removes a directory.",
        "ls -S prints the largest file first.",
    ]
    command = ["node", "rank.js", str(library_file()), str(builtin.path), *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["1", "0"]
    command[2] = "nowhere.so"
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nowhere.so" in done.stderr
