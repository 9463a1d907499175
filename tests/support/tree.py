"""What is in the repository, or in the source distribution that this is run from."""

from __future__ import annotations

from pathlib import Path

from native.checkout import checkout_files as tree_files
from native.checkout import copy_checkout as copy_tree

__all__ = ["INSTALLED", "ROOT", "copy_tree", "installed_names", "modules", "tree_files"]

ROOT = Path(__file__).parents[2]
INSTALLED = {
    "edge_rerank": "edge_rerank",
    "quantized": "edge_rerank/models",
    "bench": "edge_rerank_bench",
    "export": "edge_rerank_export",
    "training": "edge_rerank_training",
    "tuning": "edge_rerank_tuning",
}
_NOT_INSTALLED = ("bench/results/", "quantized/mini-deberta")


def installed_names() -> list[str]:
    """Return the names that a wheel must hold, of every module and data file of the tree."""
    names = []
    for name in tree_files():
        top, slash, rest = name.partition("/")
        if slash and top in INSTALLED and not name.startswith(_NOT_INSTALLED):
            names.append(f"{INSTALLED[top]}/{rest}")
    return names


def modules() -> list[str]:
    """Return the names of all modules that are installed, but for those that run when imported."""
    files = [Path(name) for name in installed_names() if name.endswith(".py")]
    importable = [path for path in files if path.stem.isidentifier() and path.stem != "__main__"]
    return sorted(
        ".".join((path.parent if path.stem == "__init__" else path.with_suffix("")).parts)
        for path in importable
    )
