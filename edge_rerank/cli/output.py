"""Where scored lines go: what ``>`` can write to, and none of them is ever lost.

A file gets its name when it is whole. Until then its lines lie beside it, in
``NAME.RANDOM.partial``, which stays when the run ends early, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edge_rerank.cli.leftovers import Leftover, find_leftover, lock, partial_beside
from edge_rerank.cli.streams import require_standard_output, require_writable
from edge_rerank.errors import InputError
from edge_rerank.files import copy_mode, replace_or_copy, written_in_place

STANDARD_OUTPUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
GOES_ON = "the same command with --resume goes on after them"
"""Said of finished lines, or parts, that are kept."""
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)|/dev/stderr")
_CLOSED = -1
_BINARY: int = getattr(os, "O_BINARY", 0)  # Windows


class Output(Protocol):
    """Takes whole lines."""

    lines: int
    """How many are there, of earlier runs and of this one."""
    leftover: Leftover | None
    """What an earlier run finished, where this one goes on after it."""

    def write(self, lines: list[str]) -> None:
        """Write lines, now."""

    def publish(self) -> None:
        """End well: all lines are there."""

    def stop(self) -> str:
        """End early; return where the finished lines are, or nothing where there are none."""


def open_output(name: str, *, resume: bool) -> Output:
    """Open where lines go to; with ``resume``, go on after those of an earlier run.

    Raises InputError for what cannot be written, before any work.
    """
    if name in STANDARD_OUTPUT:
        if resume:
            raise InputError("--resume needs --output FILE: the file that holds the scored lines")
        require_standard_output()
        return _standard_output()
    if not name:
        raise InputError("the output's name is empty; is the shell variable set?")
    if os.path.isdir(name) or os.path.basename(name) == "":
        raise InputError(f"{name}: is a folder; expected a file to write")
    try:
        if written_in_place(Path(name)):
            return _open_stream(name, resume)
        return _open_file(name, resume)
    except OSError as error:
        raise InputError(f"{name}: cannot be written: {error.strerror or error}") from error


class _Program:
    """Standard output where a program that calls this has put a stream of its own."""

    leftover: Leftover | None = None

    def __init__(self) -> None:
        self.lines = 0

    def write(self, lines: list[str]) -> None:
        sys.stdout.write("".join(lines))
        sys.stdout.flush()
        self.lines += len(lines)

    def publish(self) -> None:
        pass

    def stop(self) -> str:
        return _counted(self.lines, "written to standard output") if self.lines else ""


def _standard_output() -> Output:
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return _Program()
    sys.stdout.flush()
    return _Descriptor("standard output", os.dup(number))


class _Descriptor:
    """Writes through an open file's number, without a buffer that could keep a part of a line."""

    leftover: Leftover | None = None

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number, self.lines = name, number, 0

    def write(self, lines: list[str]) -> None:
        _write_all(self.number, "".join(lines).encode("utf-8"))
        self.lines += len(lines)

    def publish(self) -> None:
        self.close()

    def stop(self) -> str:
        with contextlib.suppress(OSError):  # of which there has been one already
            self.close()
        return _counted(self.lines, f"written to {self.name}") if self.lines else ""

    def close(self) -> None:
        """Close the file, once: its number may be another's afterwards."""
        number, self.number = self.number, _CLOSED
        if number != _CLOSED:
            os.close(number)


class _File(_Descriptor):
    """A plain file: ``beside`` until it is whole, or in place where there can be no other."""

    def __init__(self, path: Path, number: int, beside: Path | None) -> None:
        super().__init__(str(path), number)
        self._path, self._beside = path, beside
        self._end = 0 if beside is None else os.fstat(number).st_size
        self._begun = beside is not None
        self._copied = 0  # lines that the file at the path has as well

    def resume(self, leftover: Leftover) -> None:
        """Go on after the lines of an earlier run, which are in this file."""
        os.truncate(self.number, leftover.end)
        os.lseek(self.number, leftover.end, os.SEEK_SET)
        self.lines, self._end, self._begun = leftover.lines, leftover.end, True
        self.leftover = leftover
        self._copied = leftover.lines if self._beside not in (None, leftover.path) else 0

    def write(self, lines: list[str]) -> None:
        if not self._begun:  # in place: what is there stays until there is something better
            os.truncate(self.number, 0)
            self._begun = True
        try:
            super().write(lines)
        except BaseException:
            with contextlib.suppress(OSError):  # a part of a line is of no use to anybody
                os.truncate(self.number, self._end)
            raise
        self._end = os.lseek(self.number, 0, os.SEEK_CUR)

    def publish(self) -> None:
        if not self._begun:
            os.truncate(self.number, 0)
        with contextlib.suppress(OSError):  # some file systems cannot
            os.fsync(self.number)
        self.close()
        if self._beside is not None:
            replace_or_copy(self._beside, self._path)

    def stop(self) -> str:
        with contextlib.suppress(OSError):
            self.close()
        if self.lines > self._copied:
            where = self._beside or self._path
            kept = _counted(self.lines, f"kept in {where}")
            return f"{kept}; {GOES_ON}"
        if self._beside is not None:
            with contextlib.suppress(OSError):
                self._beside.unlink()
        return ""


def _open_stream(name: str, resume: bool) -> Output:
    """Open a pipe, a device, or what is open already under a number."""
    if resume:
        raise InputError(f"{name}: is no plain file, and holds nothing that --resume could go on")
    found = _DESCRIPTOR.fullmatch(name)
    number = os.dup(int(found[1] or 2)) if found else os.open(name, os.O_WRONLY | _BINARY)
    require_writable(number)
    return _Descriptor(name, number)


def _open_file(name: str, resume: bool) -> Output:
    path = Path(os.path.realpath(name))
    exists = _is_there(path)
    if exists:
        os.close(os.open(path, os.O_WRONLY))
    leftover = find_leftover(path) if resume else None
    if leftover is not None and leftover.path != path:
        number = os.open(leftover.path, os.O_RDWR | _BINARY)
        return _resumed(_File(path, number, leftover.path), leftover)
    beside = partial_beside(path)
    try:
        number = _create(beside)
    except OSError:
        if not exists:
            raise
        number = os.open(path, os.O_RDWR if leftover else os.O_WRONLY)
        _claim(number, path)
        file = _File(path, number, None)
        return file if leftover is None else _resumed(file, leftover)
    _undone_unless(lambda: _prepare(number, path if exists else None, beside, leftover), beside)
    file = _File(path, number, beside)
    return file if leftover is None else _resumed(file, leftover)


def _write_all(number: int, data: bytes) -> None:
    """Write all of ``data``: a call takes a part of it where a disk gets full, or a pipe is."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(number, rest) :]


def _is_there(path: Path) -> bool:
    try:
        os.lstat(path)  # what still is a link now leads round in a circle, as opening it will say
    except FileNotFoundError:
        return False
    return True


def _create(beside: Path) -> int:
    return os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)


def _prepare(number: int, existing: Path | None, beside: Path, leftover: Leftover | None) -> None:
    """Lock a new partial file; give it the old one's mode, and its lines to go on after."""
    lock(number)
    if existing is None:
        return
    copy_mode(existing, beside)
    if leftover is not None:
        with existing.open("rb") as source:
            rest = leftover.end
            while rest and (piece := source.read(min(rest, 1 << 20))):
                _write_all(number, piece)
                rest -= len(piece)


def _undone_unless(act: Callable[[], None], beside: Path) -> None:
    try:
        act()
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _resumed(file: _File, leftover: Leftover) -> _File:
    _claim(file.number, leftover.path)
    file.resume(leftover)
    return file


def _claim(number: int, path: Path) -> None:
    if not lock(number):
        raise InputError(f"{path}: another run is writing it; wait for it, or end it")


def _counted(lines: int, where: str) -> str:
    return f"{lines:,} scored {'line is' if lines == 1 else 'lines are'} {where}"


def same_file(name: str, identity: tuple[int, int] | None) -> bool:
    """Whether output would go to the plain file that is read, by its device and number."""
    try:
        found = os.stat(sys.stdout.fileno() if name in STANDARD_OUTPUT else name)
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) == identity
