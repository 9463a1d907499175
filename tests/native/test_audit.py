"""The wheels for Linux with glibc, judged by auditwheel, whose word users go by."""

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


@pytest.fixture(scope="module")
def auditwheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install auditwheel into an environment of its own; return the program."""
    folder = tmp_path_factory.mktemp("auditwheel") / "venv"
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    done = subprocess.run(
        [*pip, "-q", "auditwheel>=6.1", "packaging"], capture_output=True, text=True, check=False
    )
    if "No matching distribution" in done.stderr:
        missing("auditwheel cannot be had here")
    assert done.returncode == 0, done.stderr
    return folder / "bin" / "auditwheel"


@pytest.mark.parametrize("name", LINUX)
def test_the_tag_is_what_the_library_allows(
    auditwheel: Path, wheels: Mapping[str, Path], name: str
) -> None:
    assert audited(auditwheel, wheels[name]) == TARGETS[name].platform_tag.split(".")[0]


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
