"""The engine under the address, undefined-behaviour and thread sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge_rerank.artifact import Artifact
from native.build import build_checked
from native.targets import Target

DRIVER = Path(__file__).with_name("driver.cpp")


@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_the_engine_runs_clean(
    sanitizers: str, host: Target, builtin: Artifact, tmp_path: Path
) -> None:
    if host.system != "linux" or not (shutil.which("clang++") or shutil.which("g++")):
        pytest.skip("sanitizers need clang++ or g++, on Linux")
    library, driver = build_checked(sanitizers, [DRIVER], tmp_path)
    assert library.name == host.library
    done = subprocess.run(
        [str(driver), str(builtin.path)], capture_output=True, text=True, check=False, timeout=900
    )
    assert (done.returncode, done.stderr) == (0, "")
