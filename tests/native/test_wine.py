"""The library for Windows, run by Debian's Wine with the example in C."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
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

pytestmark = [
    pytest.mark.build,
    pytest.mark.skipif(sys.platform != "linux", reason="Wine is taken from Debian"),
]
QUERY = "list files sorted by size"
TEXTS = ("rm -r removes a directory and all that is in it.", "ls -S prints the largest first.")
# 100 MB; the other libraries that these name are for sound, cameras and the like.
PACKAGES = ("wine64", "libwine", "libz-mingw-w64")
# Laid over the system's for this process alone: Wine looks for its parts where they belong.
_INSIDE = """
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr || exit 99
shift
exec /usr/lib/wine/wine64 "$@"
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a function that runs a program for Windows."""
    if platform.machine() != "x86_64":
        pytest.skip("Wine is fetched for x86-64 alone")
    folder = tmp_path_factory.mktemp("wine")
    root, home = folder / "root", folder / "home"
    home.mkdir()
    try:
        unpack_packages(PACKAGES, "amd64", root, dependencies=False)
    except EmulationError as error:
        missing(f"Wine cannot be had here: {error}")
    # What the packages' scripts would link.
    shutil.copy(root / "usr/lib/wine/wineserver64", root / "usr/lib/wine/wineserver")
    windows = root / "usr/lib/x86_64-linux-gnu/wine/x86_64-windows"
    shutil.copy(root / "usr/x86_64-w64-mingw32/lib/zlib1.dll", windows)

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _INSIDE, "sh"]
        given = {"WINEPREFIX": str(home / "wine"), "WINEDEBUG": "-all", "HOME": str(home)}
        off = {"WINEDLLOVERRIDES": "mscoree,mshtml=", "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            [*command, str(root), *words],
            env={**given, **off, **variables}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    run("wineboot", "--init")
    if not (home / "wine" / "system.reg").exists():
        pytest.skip("Wine does not start here: no namespace, or a library of its own is missing")
    return run


@pytest.fixture(scope="module")
def program(host: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library and the example in C for Windows, side by side."""
    return build_example(TARGETS["windows-x86_64"], tmp_path_factory.mktemp("built"), "rank.exe")


@pytest.mark.parametrize("kernel", ["", "scalar"])
def test_it_ranks_with_the_same_bits(
    wine: Run, program: Path, builtin: Artifact, kernel: str
) -> None:
    folder = f"Z:{builtin.path}"
    done = wine(str(program), folder, QUERY, *TEXTS, EDGE_RERANK_KERNEL=kernel)
    assert done.returncode == 0, done.stderr
    with Reranker.load() as reranker:
        expected = reranker.predict([(QUERY, text) for text in TEXTS], scores="logits")
    np.testing.assert_array_equal(np.array(done.stdout.split(), np.float32), expected)


def test_a_missing_model_is_said(wine: Run, program: Path) -> None:
    done = wine(str(program), "Z:/nowhere", QUERY, *TEXTS)
    assert done.returncode == 1
    assert "Z:/nowhere" in done.stderr
