"""The oldest libraries that ``pyproject.toml`` allows: the runtime's tests hold with them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.native.conftest import missing
from tests.support.environments import Environment, fresh_environment, link_distributions
from tests.support.tree import ROOT

pytestmark = pytest.mark.build
NAMES = ("numpy", "onnxruntime", "tokenizers", "onnx")  # the last makes the tests' models
TESTS = ("artifact", "engines", "loading", "parity", "tokenizing", "verification")
_VERSIONS = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"


def lowest() -> dict[str, str]:
    """Read each library's lower bound."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return {name: re.findall(rf'"{name}>=([\d.]+)', text)[0] for name in NAMES}


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the package and the oldest libraries, which come from the index."""
    libraries = tmp_path_factory.mktemp("libraries")  # transformers must not be among them
    link_distributions(libraries, *NAMES, "pytest", "pytest-benchmark", "hypothesis")
    made = fresh_environment(tmp_path_factory.mktemp("lowest") / "venv", [str(libraries)])
    pip = [sys.executable, "-m", "pip", "--python", str(made.python), "install", "-q", "--no-deps"]
    wanted = [f"{name}=={version}" for name, version in lowest().items()]
    done = subprocess.run(
        [*pip, "--only-binary", ":all:", *wanted], capture_output=True, text=True, check=False
    )
    if done.returncode:
        missing(f"{', '.join(wanted)} cannot be installed here: {done.stderr.strip()[-300:]}")
    assert made.install(str(wheel)).returncode == 0
    return made


def test_the_runtime_holds(environment: Environment, clone: Path) -> None:
    versions = environment.run("python", "-c", _VERSIONS, *NAMES, folder=clone).stdout.split()
    for name, found in zip(NAMES, versions, strict=True):
        assert f"{found}.".startswith(f"{lowest()[name]}."), (name, found)
    done = environment.run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_reranker.py",
        *(f"tests/{room}" for room in TESTS), folder=clone,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout
