"""What is in the checkout, or in the source distribution that this is run from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_HIDDEN = {".ci", ".clang-format", ".gitignore"}


def checkout_files() -> list[str]:
    """Return all files: git's, with new ones that it does not ignore, or all that none made."""
    names = _names_from_git()
    if names is not None:
        return sorted(name for name in names if (ROOT / name).is_file())
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*")
        if path.is_file() and not _made(path.relative_to(ROOT))
    )


def copy_checkout(folder: Path) -> Path:
    """Copy the files, and nothing that was made beside them, as a fresh clone has them."""
    for name in checkout_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


def _names_from_git() -> list[str] | None:
    """Return the files' names; None where git does not run, or has nothing to do with them."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.split("\0")[:-1]


def _made(path: Path) -> bool:
    return (
        path.parts[:2] == ("edge_rerank", "_native")
        or path.parts[0] in {"build", "dist"}
        or any(part.endswith((".egg-info", "__pycache__")) for part in path.parts)
        or (path.parts[0].startswith(".") and path.parts[0] not in _HIDDEN)
    )
