"""The library for musl, run by musl's own loader, which Debian has as a package."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.artifact.folder import Artifact
from native.build import build_library
from native.targets import TARGETS, Target
from native.toolchain import ROOT
from tests.native.conftest import missing
from tools.emulation.debian import unpack_packages
from tools.emulation.errors import EmulationError

pytestmark = pytest.mark.build
QUERY = "list files sorted by size"
TEXTS = ("rm -r removes a directory and all that is in it.", "ls -S prints the largest first.")


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return musl's loader, unpacked and not installed."""
    if platform.machine() != "x86_64":
        pytest.skip("the package is fetched for x86-64 alone")
    root = tmp_path_factory.mktemp("musl") / "root"
    try:
        unpack_packages(["musl"], "amd64", root, dependencies=False)
    except EmulationError as error:
        missing(f"musl cannot be had here: {error}")
    return root / "lib" / "ld-musl-x86_64.so.1"


@pytest.fixture(scope="module")
def folder(host: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library and the example in C for musl."""
    folder = tmp_path_factory.mktemp("built")
    target = TARGETS["musllinux-x86_64"]
    build_library(target, folder)
    command = [sys.executable, "-m", "ziglang", "cc", "-O2", "-std=c99", "-target", target.triple]
    command += [
        "-dynamic",
        "-fno-sanitize=all",
        f"-I{ROOT / 'include'}",
        str(ROOT / "example" / "rank.c"),
    ]
    subprocess.run(
        [*command, f"-L{folder}", "-ledge_rerank", "-o", str(folder / "rank")], check=True
    )
    return folder


@pytest.mark.parametrize("kernel", ["", "scalar", "sse41"])
def test_it_ranks_with_the_same_bits(
    loader: Path, folder: Path, builtin: Artifact, kernel: str
) -> None:
    command = [str(loader), "--library-path", str(folder), str(folder / "rank")]
    done = subprocess.run(
        [*command, str(builtin.path), QUERY, *TEXTS],
        env={"EDGE_RERANK_KERNEL": kernel}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Reranker.load() as reranker:
        expected = reranker.predict([(QUERY, text) for text in TEXTS], scores="logits")
    np.testing.assert_array_equal(np.array(done.stdout.split(), np.float32), expected)
