"""The standard streams: closed ones, other encodings, and one line for what goes wrong."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from edge_rerank.errors import InputError

_INPUT, _OUTPUT, _ERRORS = range(3)


def say(line: str) -> None:
    """Write one line to standard error, whatever the message holds; nothing where it is closed."""
    if sys.stderr is None:  # print() would take standard output in its place
        return
    with contextlib.suppress(OSError, ValueError):  # nobody is listening
        print(" ".join(printable(line).splitlines()), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Return ``text`` with the bytes that a path is made of read as UTF-8 where they are that."""
    return text.encode("utf-8", "surrogateescape" if _only_bytes(text) else "replace").decode(
        "utf-8", "replace"
    )


def _only_bytes(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def standard_streams() -> Iterator[None]:
    """Make the process's streams fit to write to: UTF-8, LF alone, and never a file of ours.

    Where one of the three was closed, the next file to be opened would get its number, and what
    any library writes to "standard error" would end up in that file.
    """
    for number in (_INPUT, _OUTPUT, _ERRORS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == _INPUT else os.O_WRONLY)
    if sys.stdout is not None and isinstance(sys.stdout.buffer, io.RawIOBase):
        # PYTHONUNBUFFERED: Python would pass over what a disk that fills up takes no more.
        sys.stdout = open(_OUTPUT, "w", closefd=False)  # noqa: SIM115 - to the process's end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace", newline="\n")
    try:
        yield
    finally:
        _leave_nothing(sys.stdout, _OUTPUT)


@contextmanager
def silent_output() -> Iterator[None]:
    """Let a command print whose result is elsewhere, though there is no standard output."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def require_standard_output() -> None:
    """Raise InputError where nothing can be printed: before the work, not after."""
    if sys.stdout is None:
        raise InputError("standard output is closed, and there the result would go")
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # a stream of a program's own
        return
    try:
        require_writable(number)
    except OSError as error:
        raise InputError(f"standard output cannot be written to: {error.strerror}") from error


def require_writable(number: int) -> None:
    """Raise OSError where an open file takes nothing, as it was opened for reading alone."""
    try:
        os.write(number, b"")
    except OSError as error:
        if error.errno == errno.EBADF:
            raise


def _leave_nothing(stream: TextIO | None, number: int) -> None:
    """Drop what cannot be written any more: Python would complain about it at its end."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
