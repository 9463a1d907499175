"""What is in the repository, or in the source distribution that this is run from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

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


def tree_files() -> list[str]:
    """Return all files of the tree: git's, with new ones that it does not ignore."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return sorted(name for name in names.split("\0") if (ROOT / name).is_file())
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*")
        if path.is_file() and not _made(path.relative_to(ROOT))
    )


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


def copy_tree(folder: Path) -> Path:
    """Copy the tree, and nothing that was made in it, as a fresh clone has it."""
    for name in tree_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


def _made(path: Path) -> bool:
    hidden = {".ci", ".clang-format", ".gitignore"}
    return (
        path.parts[:2] == ("edge_rerank", "_native")
        or path.parts[0] in {"build", "dist"}
        or any(part.endswith((".egg-info", "__pycache__")) for part in path.parts)
        or (path.parts[0].startswith(".") and path.parts[0] not in hidden)
    )
