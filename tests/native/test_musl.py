"""The library for musl, run by musl's own loader, which Debian has as a package."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.artifact.folder import Artifact
from native.targets import TARGETS, Target
from tests.native.conftest import missing
from tests.native.examples import build_example
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
    options = ("-dynamic", "-fno-sanitize=all")
    build_example(TARGETS["musllinux-x86_64"], folder, "rank", *options)
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
