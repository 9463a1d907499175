"""The wheels for glibc judged by auditwheel, those for Windows by delvewheel: users go by them."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from native.targets import TARGETS
from tests.native.conftest import missing

pytestmark = [
    pytest.mark.build,
    pytest.mark.skipif(sys.platform != "linux", reason="auditwheel runs on Linux"),
]
# Those for musl can only be judged on musl: it looks for the libraries that they need.
LINUX = [name for name in TARGETS if name.startswith("linux-")]
WINDOWS = [name for name in TARGETS if name.startswith("windows-")]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install both into an environment of their own; return the folder of the programs."""
    folder = tmp_path_factory.mktemp("tools") / "venv"
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    names = ["auditwheel>=6.1", "packaging", "delvewheel>=1.9"]
    done = subprocess.run([*pip, "-q", *names], capture_output=True, text=True, check=False)
    if "No matching distribution" in done.stderr:
        missing("auditwheel and delvewheel cannot be had here")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.mark.parametrize("name", LINUX)
def test_the_tag_is_what_the_library_allows(
    tools: Path, wheels: Mapping[str, Path], name: str
) -> None:
    assert audited(tools / "auditwheel", wheels[name]) == TARGETS[name].platform_tag.split(".")[0]


@pytest.mark.parametrize("name", WINDOWS)
def test_nothing_is_needed_that_windows_lacks(
    tools: Path, wheels: Mapping[str, Path], name: str
) -> None:
    done = subprocess.run(
        [str(tools / "delvewheel"), "show", "--analyze-existing", str(wheels[name])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    copied, found, present = done.stdout.partition("The following DLLs are assumed to be present")
    assert found, done.stdout
    assert copied.split()[-1] == "None", done.stdout  # nothing has to be brought along
    needed = [word.lower() for word in present.split() if word.endswith(".dll")]
    assert "kernel32.dll" in needed
    assert [one for one in needed if not one.startswith(("api-ms-win-crt-", "kernel32."))] == []


def audited(auditwheel: Path, wheel: Path) -> str:
    """Return the oldest platform that a wheel fits."""
    path = os.pathsep.join([str(auditwheel.parent), os.environ["PATH"]])
    done = subprocess.run(
        [str(auditwheel), "show", str(wheel)],
        env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    _, found, rest = words.partition("is consistent with the following platform tag: ")
    assert found, words
    return rest.split('"')[1]
