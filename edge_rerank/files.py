"""Writing a file so that it appears whole or not at all, wherever a shell's ``>`` could write it.

What is written lies under a random name beside its place until it is complete: two runs never
meet, and what a killed run left behind is in nobody's way. Only what this process created is ever
deleted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_PARTIAL = re.compile(r"\.edge-rerank-[0-9a-f]{16}\.partial")
# A path here leads to an open file of some process, which a rename would cut off from its name.
_OPEN_FILES = ("/proc/", "/dev/fd/")
_MOST_LINKS = 40


def library_path(path: str | os.PathLike[str]) -> str:
    """Return a path for libraries that take it as UTF-8, whatever the locale's encoding is."""
    try:
        return os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:  # no name that such a library could open
        return os.fspath(path)


def partial_name() -> str:
    """Return a new name for something unfinished; short, whatever the finished thing is called."""
    return f".edge-rerank-{os.urandom(8).hex()}.partial"


def is_partial(name: str) -> bool:
    """Whether ``name`` is one of :func:`partial_name`'s: another run's, or a dead one's."""
    return _PARTIAL.fullmatch(name) is not None


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file for writing; it gets its place when the block ends without an exception.

    Raises OSError, at the start where it can be known then.
    """
    output = OutputFile(path)
    try:
        yield output.stream
    except BaseException:
        output.discard()
        raise
    output.publish()


class OutputFile:
    """A file on its way to ``path``: write to :attr:`stream`, then :meth:`publish` it.

    A link is followed. An existing file keeps its mode. What cannot be replaced is written in
    place: a pipe or device, an open file under /dev/fd, a writable file in a folder that is not,
    a file that is a mount point.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file; raises OSError where it cannot be written."""
        self.path = Path(path)
        self._beside: Path | None = None
        if written_in_place(self.path):
            self.stream: IO[bytes] = self.path.open("wb")
        else:
            self.path = Path(os.path.realpath(path))
            self.stream = self._open_beside()

    def publish(self) -> None:
        """Put the file in its place.

        Where that fails, what was written stays under the name that the OSError gives.
        """
        self.stream.flush()
        with contextlib.suppress(OSError):  # a pipe, and some file systems, cannot
            os.fsync(self.stream.fileno())
        self.stream.close()
        if self._beside is None:
            return
        replace_or_copy(self._beside, self.path)

    def discard(self) -> None:
        """Return it up: the place stays as it was, unless it had to be written in place."""
        with contextlib.suppress(OSError):  # a full disk, a pipe without a reader
            self.stream.close()
        if self._beside is not None:
            self._beside.unlink(missing_ok=True)

    def _open_beside(self) -> IO[bytes]:
        """Open an unfinished file, or the file itself where no other can be created."""
        exists = os.path.lexists(self.path)
        if exists:
            os.close(os.open(self.path, os.O_WRONLY))  # a protected file is not replaced either
        beside = self.path.with_name(partial_name())
        try:
            stream: IO[bytes] = beside.open("xb")
        except OSError as error:
            if exists:
                return self.path.open("wb")
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        self._beside = beside
        if exists:
            copy_mode(self.path, beside)
        return stream


def written_in_place(path: Path) -> bool:
    """Whether a path leads to what a rename cannot replace: a pipe, a device, an open file."""
    try:
        mode = os.stat(path).st_mode
    except OSError:  # not there yet, or opening it will say what is wrong
        return False
    return not stat.S_ISREG(mode) or _is_open_file(path)


def replace_or_copy(beside: Path, path: Path) -> None:
    """Return a complete file its place: by a rename, or else by copying it over.

    That is where a rename is refused, as on a mount point, and where it would take a file from its
    owner. Where that fails, what was written stays under the name that the OSError gives.
    """
    try:
        if path.exists() and _owner(path) != _owner(beside):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        os.replace(beside, path)
    except OSError as error:
        _copy_over(beside, path, error)


def _owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


def copy_mode(source: Path, target: Path) -> None:
    """Return ``target`` the mode of ``source``, and the owner where that is allowed."""
    found = source.stat()
    with contextlib.suppress(OSError, AttributeError):  # root alone may; not on Windows
        os.chown(target, found.st_uid, found.st_gid)
    with contextlib.suppress(OSError):  # a file system without modes
        target.chmod(stat.S_IMODE(found.st_mode))


def _copy_over(beside: Path, path: Path, error: OSError) -> None:
    """Write into a file that exists and cannot be replaced, such as a mount point."""
    import shutil  # here, not at the top: it brings four compression libraries

    try:
        with beside.open("rb") as source, path.open("r+b") as target:
            shutil.copyfileobj(source, target)
            target.truncate()
    except OSError:
        raise OSError(
            error.errno, f"{error.strerror or error}; what was written is in {beside}", path
        ) from error
    beside.unlink()


def _is_open_file(path: Path) -> bool:
    """Whether a path, or a link it goes through, names a file that some process has open."""
    place = os.path.abspath(path)
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(os.path.dirname(place))
        if f"{folder}/".startswith(_OPEN_FILES):
            return True
        place = os.path.join(folder, os.path.basename(place))
        if not os.path.islink(place):
            return False
        place = os.path.join(folder, os.readlink(place))
    return False
