"""Folders that another user is to pass through."""

from __future__ import annotations

from pathlib import Path


def let_others_pass(path: Path) -> None:
    """Open pytest's own folders above a path; those above them are the machine's."""
    for folder in path.parents:
        if folder.name.startswith(("pytest-", "popen-")):  # the latter are pytest-xdist's
            folder.chmod(0o755)
