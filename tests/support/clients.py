"""Environments of their own for clients that others wrote: made once, kept beside the tests' cache.

They are installed from the package index and changed in nothing; where that cannot be reached,
their tests are skipped and say so.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.environments import shared_packages

CACHE = (
    Path(os.environ.get("EDGE_RERANK_TEST_CACHE", tempfile.gettempdir())) / "edge-rerank-clients"
)
_READY = "ready"


def environment(*requirements: str, borrow: bool = False) -> Path:
    """Return the interpreter of an environment with these packages, or skip the test.

    With ``borrow`` it has this one's libraries as well, torch among them.
    """
    shared = shared_packages() if borrow else []
    key = sha256("\n".join((sys.version, *shared, *requirements)).encode()).hexdigest()[:16]
    folder = CACHE / key
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{key}.lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _READY).exists():
            _make(folder, shared, requirements)
    return _python(folder)


def _make(folder: Path, shared: Sequence[str], requirements: Sequence[str]) -> None:
    venv.create(folder, with_pip=True, clear=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "shared.pth").write_text("\n".join(shared), "utf-8")
    done = subprocess.run(
        [str(_python(folder)), "-m", "pip", "install", "-q", *requirements],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"not to be had here: {' '.join(requirements)}: {done.stderr[-300:]}")
    (folder / _READY).touch()


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def run(
    python: Path, program: str, *words: str, folder: str | None = None, **variables: str
) -> str:
    """Run a program in an environment and return what it prints; its failure is the test's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EDGE_RERANK")}
    done = subprocess.run(
        [str(python), "-c", program, *words],
        env={**kept, "HF_HUB_OFFLINE": "1", "HAYSTACK_TELEMETRY_ENABLED": "False", **variables},
        cwd=folder, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
