"""The engine under the address, undefined-behaviour and thread sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge_rerank.artifact import Artifact
from native.build import build_checked
from native.fuzz.seeds import TINY, write_artifact
from native.targets import Target
from tests.native.conftest import missing

DRIVER = Path(__file__).with_name("driver.cpp")


@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_the_engine_runs_clean(
    sanitizers: str, host: Target, builtin: Artifact, tmp_path: Path
) -> None:
    if host.system != "linux":
        pytest.skip("sanitizers are set up for Linux alone")
    if not (shutil.which("clang++") or shutil.which("g++")):
        missing("sanitizers need clang++ or g++ on the PATH")
    library, driver = build_checked(sanitizers, [DRIVER], tmp_path)
    assert library.name == host.library
    tiny = [write_artifact(tmp_path / name, shape) for name, shape in TINY.items()]
    done = subprocess.run(
        [str(driver), str(builtin.path), *map(str, tiny)],
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
