"""What the distributions hold: packages and data files, found in the tree and not listed.

A list is forgotten when a package is added, and an editable installation does not notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

# The folders at the top have short names; installed, they get names that cannot clash with a
# user's own modules.
FOLDERS: Mapping[str, str] = {
    "edge_rerank": "edge_rerank",
    "edge_rerank.models": "quantized",
    "edge_rerank_bench": "bench",
    "edge_rerank_export": "export",
    "edge_rerank_training": "training",
    "edge_rerank_tuning": "tuning",
}
# Built anew; a record of runs; a model for tests and benchmarks, as large as the built-in one.
_LEFT_OUT = frozenset(
    {"edge_rerank/_native", "bench/results", "quantized/mini-deberta", "quantized/mini-deberta.md"}
)
_CACHES = frozenset({"__pycache__"})
_COMPILED = frozenset({".pyc", ".pyd", ".pyo"})


def find_packages(root: Path) -> list[str]:
    """Return the names of all packages below ``root``, as they are installed."""
    return sorted(name for name, _ in _packages(root))


def find_data(root: Path) -> dict[str, list[str]]:
    """Return the data files of each package that has any, relative to its folder."""
    folders = {folder: name for name, folder in _packages(root)}
    found: dict[str, list[str]] = {}
    for top in FOLDERS.values():
        for file in _files(root, root / top):
            if file.suffix != ".py":
                package = next(folder for folder in file.parents if folder in folders)
                name = file.relative_to(package).as_posix()
                found.setdefault(folders[package], []).append(name)
    return {name: sorted(files) for name, files in sorted(found.items())}


def _packages(root: Path) -> Iterator[tuple[str, Path]]:
    for package, top in FOLDERS.items():
        for file in _files(root, root / top):
            if file.name == "__init__.py":
                inner = file.parent.relative_to(root / top).parts
                yield ".".join((package, *inner)), file.parent


def _files(root: Path, folder: Path) -> Iterator[Path]:
    """Yield what belongs to the tree: no caches, no hidden files, nothing that is left out."""
    for path in sorted(folder.iterdir()):
        name = path.relative_to(root).as_posix()
        if path.name.startswith(".") or path.name in _CACHES or name in _LEFT_OUT:
            continue
        if path.is_dir():
            yield from _files(root, path)
        elif path.suffix not in _COMPILED:
            yield path
