"""The source distribution, and normal installations of it and of the wheel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.support.environments import Environment, fresh_environment
from tests.support.tree import copy_tree

Install = Callable[[str], Environment]


@pytest.fixture(scope="session")
def sdist(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution from the clone."""
    output = tmp_path_factory.mktemp("sdist")
    call = "import sys; from native import backend; backend.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", call, str(output)], cwd=clone, check=True)
    (built,) = output.glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def install(wheel: Path, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Return a function that installs ``wheel``, ``sdist`` or ``editable``, each once."""

    @cache
    def installed(what: str) -> Environment:
        folder = tmp_path_factory.mktemp(what)
        environment = fresh_environment(folder / "venv")
        words = {
            "wheel": lambda: [str(wheel)],
            "sdist": lambda: [str(sdist)],
            "editable": lambda: ["-e", str(copy_tree(folder / "clone"))],
        }[what]()
        # The library is built for the wheel and for the sdist; a third build would tell nothing.
        native = {"EDGE_RERANK_BUILD_NATIVE": "0"} if what == "editable" else {}
        done = environment.install(*words, **native)
        assert done.returncode == 0, done.stderr
        return environment

    return installed
