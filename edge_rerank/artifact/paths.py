"""Paths of an artifact: which folder it is, and which of its names are files that can be read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from edge_rerank.artifact.manifest import check_file_name
from edge_rerank.errors import ArtifactError, ArtifactNotFoundError, InputError, shown


def model_folder(path: str | os.PathLike[str]) -> Path:
    """Return a folder's absolute path, its links resolved; raises ArtifactNotFoundError.

    A ``~`` at the start is the user's home, as in a shell. Raises InputError for anything but
    a path.
    """
    folder = _expanded(path)
    try:
        found = None if stat.S_ISDIR(folder.stat().st_mode) else "not a folder"
    except (OSError, ValueError) as error:  # ValueError: a null character
        found = _why_no_folder(error)
    if found is not None:
        raise ArtifactNotFoundError(
            f"{folder}: {found}; expected a model folder, as edge-rerank export makes"
        )
    return folder.resolve()


def _expanded(path: str | os.PathLike[str]) -> Path:
    try:
        folder = Path(path)
    except TypeError:
        raise InputError(
            f"the model is {shown(path)}; expected the path of its folder as a string or a Path, "
            "or None for the built-in model"
        ) from None
    if not folder.parts[:1] or not folder.parts[0].startswith("~") or os.path.lexists(folder):
        return folder
    try:
        return folder.expanduser()
    except RuntimeError:  # no such user, or no home
        return folder


def regular_file(folder: Path, name: str) -> Path:
    """Return the path of a file in the folder; refuse all but a regular file or a link to one."""
    check_file_name(name, str(folder))
    path = folder / name
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ArtifactNotFoundError(f"{path}: {_why_absent(path, error)}") from error
    if not stat.S_ISREG(mode):  # a named pipe or a device could be waited for without end
        raise ArtifactError(f"{path}: {_kind(mode)}, not a regular file")
    return path


@contextmanager
def opened(path: Path) -> Iterator[FileIO]:
    """Open an artifact's file for reading, unbuffered; raises ArtifactNotFoundError."""
    try:
        stream = path.open("rb", buffering=0)
    except OSError as error:
        raise unreadable(path, error) from error
    with stream:
        try:
            yield stream
        except OSError as error:  # a disk or a network that fails
            raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> ArtifactNotFoundError:
    """Return the error for a file that the system does not let us read."""
    return ArtifactNotFoundError(f"{path}: cannot be read: {error.strerror or error}")


def _why_no_folder(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return f"not a path: {error}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "no such folder"
    return f"cannot be read: {error.strerror or error}"


def _why_absent(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a loop of links; copy the artifact again, all of it"
    if error.errno == errno.ENOENT and path.is_symlink():
        return (
            f"a link to {os.readlink(path)}, where there is no file; copy the artifact again, "
            "with what its links point to"
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "missing; copy the artifact again, all of it"
    return f"cannot be read: {error.strerror or error}"


def _kind(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return name
    return "a device"
