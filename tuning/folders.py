"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from edge_rerank.files import partial_name


def whole_folder(target: Path, write: Callable[[Path], None], beside: Path | None = None) -> None:
    """Let ``write`` make a folder in ``beside``, which then takes the target's place.

    beside: a folder on the target's file system, its parent without one. What is written is on the
    disk before it takes its place.
    """
    made = (beside or target.parent) / partial_name()
    try:
        write(made)
        for path in filter(lambda one: one.is_file(), made.rglob("*")):
            with path.open("r+b") as stream:
                os.fsync(stream.fileno())
        shutil.rmtree(target, ignore_errors=True)
        os.rename(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
