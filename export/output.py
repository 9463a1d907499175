"""The output folder: written beside its place, renamed when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ExportError


def check_output(output: Path) -> Path:
    """Give the absolute path of a folder that may be written; raises ExportError for another."""
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise ExportError(f"{output}: exists and is not a folder; name another one")
    if output.exists() and any(output.iterdir()):
        raise ExportError(f"{output}: is not empty; name a new folder, or remove this one first")
    return output.absolute()


@contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """Give a new folder on the target's file system, removed in the end if it is still there."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise ExportError(f"{target.parent}: cannot be written to: {error.strerror}") from error
    try:
        yield folder
    except OSError as error:
        raise ExportError(f"{target}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, target: Path) -> None:
    """Give the finished folder its name; an empty folder of that name makes way."""
    folder.chmod(0o755)  # a temporary folder is its owner's alone
    if target.exists():
        target.rmdir()
    os.rename(folder, target)
