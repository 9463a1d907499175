"""A copy of the project for one kind of machine, with the native library built for that kind."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.emulation.cache import cached
from tools.emulation.commands import run_quietly
from tools.emulation.errors import EmulationError

REPOSITORY = Path(__file__).resolve().parents[2]
_COPIED = (
    "edge_rerank",
    "tests",
    "tools",
    "export",
    "bench",
    "training",
    "native",
    "pyproject.toml",
)
_BUILD = "native.build"
_BUILT_FROM = frozenset({".py", ".h", ".cpp", ".map"})
_LIBRARY_FOLDER = "edge_rerank/_native"


@contextmanager
def staged(machine: str) -> Iterator[Path]:
    """Return a folder to run the project in; it is removed afterwards.

    The repository itself will not do: the native library in it, if any, is this machine's, and
    the model lies where only an installed package finds it.
    """
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as name:
        folder = Path(name)
        for part in _COPIED:
            _copy(REPOSITORY / part, folder / part)
        (folder / "edge_rerank/models").symlink_to(REPOSITORY / "quantized")
        if has_native():
            shutil.copytree(native_library(machine), folder / _LIBRARY_FOLDER)
        yield folder


def has_native() -> bool:
    """True when this checkout has the native engine."""
    from edge_rerank.engines.choose import ENGINES

    return "native" in ENGINES


def native_library(machine: str, *, refresh: bool = False) -> Path:
    """Return a folder with the native library for a kind of machine, built from this checkout."""
    target = f"linux-{machine}"
    ingredients = {"target": target, "sources": _sources(), "compiler": _compiler()}
    return cached(
        f"native-{machine}", ingredients, lambda into: _build(target, into), refresh=refresh
    )


def _build(target: str, into: Path) -> None:
    run_quietly(
        [sys.executable, "-m", _BUILD, "--target", target, "--output", into],
        remedy="the native library must build here; the package ziglang brings the compiler",
        folder=REPOSITORY,
    )
    if not any(into.iterdir()):
        raise EmulationError(f"python -m {_BUILD} --target {target} wrote nothing into {into}")


def _sources() -> str:
    """Return a checksum of everything that the library is built from."""
    checksum = hashlib.sha256()
    for path in sorted((REPOSITORY / "native").rglob("*")):
        if path.suffix in _BUILT_FROM and path.is_file():
            checksum.update(str(path.relative_to(REPOSITORY)).encode() + b"\0")
            checksum.update(path.read_bytes())
    return checksum.hexdigest()


def _compiler() -> str:
    from importlib import metadata

    try:
        return metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        return "the system's"


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copyfile(source, target)
    else:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "_native"))
