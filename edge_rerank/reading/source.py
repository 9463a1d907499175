"""Opening what is read: a file or standard input, uncompressed on the way."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from edge_rerank.errors import InputError

STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ": "lzma",
}
_UTF16 = "UTF-16 text; convert it first, such as with: iconv -f "
_FOREIGN = {
    b"\xff\xfe": f"{_UTF16}UTF-16 -t UTF-8",
    b"\xfe\xff": f"{_UTF16}UTF-16 -t UTF-8",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; decompress it first, with: zstd -d",
    b"PK\x03\x04": "a zip archive (or an .xlsx or .docx file); export its texts as CSV or JSON",
    b"PAR1": "a Parquet file, and read as another form; its own is parquet",
    b"%PDF": "a PDF file; extract its text first",
    b"SQLite format 3": "an SQLite database; write its texts as JSON Lines first",
}
_LONGEST = max(map(len, _FOREIGN))
_BOM = b"\xef\xbb\xbf"  # Windows editors begin UTF-8 with it


class Source:
    """What is read, and how far the reading has come."""

    def __init__(self, raw: IO[bytes], name: str) -> None:
        """Read ``raw``, compressed or not; messages call it by its name."""
        self.raw, self.name = raw, name

    def open(self) -> io.BufferedReader[Any]:
        """Return the bytes, uncompressed; waits for the first of them.

        Raises InputError for what is of a kind that holds no plain text.
        """
        return _opened(self.raw, self.name)

    def begins_with(self, magic: bytes) -> bool:
        """Whether a plain file begins with these bytes; what is awaited is left alone."""
        return self.identity() is not None and _head(_buffered(self.raw)).startswith(magic)

    def share(self) -> float | None:
        """Return how much of a plain file has been read, 0 to 1; None for a pipe or a terminal."""
        try:
            found = os.fstat(self.raw.fileno())
            if not stat.S_ISREG(found.st_mode) or not found.st_size:
                return None
            return min(1.0, self.raw.tell() / found.st_size)
        except (OSError, ValueError):
            return None

    def identity(self) -> tuple[int, int] | None:
        """Return device and number of a plain file, which say whether another name is the same."""
        try:
            found = os.fstat(self.raw.fileno())
        except (OSError, ValueError):
            return None
        return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


@contextmanager
def open_source(name: str) -> Iterator[Source]:
    """Open a file, or standard input for ``-``; raises InputError where it cannot be read."""
    if name in STANDARD_INPUT:
        yield Source(_standard_input(), "standard input")
        return
    with _named_errors(name), open(name, "rb") as raw:
        yield Source(raw, name)


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise InputError("there is no standard input; name a file")
    return sys.stdin.buffer


@contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Turn what opening a file raises into an InputError that names it."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        if error.filename != name:
            raise
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error


def _opened(raw: IO[bytes], name: str) -> io.BufferedReader[Any]:
    stream = _buffered(raw)
    head = _head(stream)
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise InputError(f"{name}: {what}")
    for magic, module in _MAGIC.items():
        if head.startswith(magic):
            return _uncompressed(stream, module, name)
    for first, order in ((0, "LE"), (1, "BE")):
        if _every_other_is_null(head, first):
            raise InputError(f"{name}: {_UTF16}UTF-16{order} -t UTF-8")
    if head.startswith(_BOM):
        stream.read(len(_BOM))
    return stream


def _buffered(raw: Any) -> io.BufferedReader[Any]:
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)


def _head(stream: io.BufferedReader[Any]) -> bytes:
    try:
        return stream.peek(_LONGEST)[: max(_LONGEST, 64)]
    except ValueError:  # closed
        return b""


def _every_other_is_null(head: bytes, first: int) -> bool:
    """Whether this is Latin text in UTF-16 without a byte order mark."""
    return len(head) >= 4 and all(head[first::2]) and not any(head[1 - first :: 2])


def _uncompressed(stream: io.BufferedReader[Any], module: str, name: str) -> io.BufferedReader[Any]:
    from importlib import import_module

    try:
        library = import_module(module)
    except ImportError as error:  # a Python that was built without it
        raise InputError(f"{name}: compressed with {module}, which this Python lacks") from error
    plain = io.BufferedReader(_Checked(library.open(stream, "rb"), module, name), 1 << 16)
    if plain.peek(len(_BOM)).startswith(_BOM):
        plain.read(len(_BOM))
    return plain


class _Checked(io.RawIOBase):
    """A stream that is uncompressed; what is wrong with it becomes an InputError."""

    def __init__(self, stream: Any, kind: str, name: str) -> None:
        self._stream, self._kind, self._name = stream, kind, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._stream.readinto(buffer))
        except EOFError as error:
            raise InputError(f"{self._name}: ends in the middle of its compressed data") from error
        except Exception as error:  # zlib.error, LZMAError and OSError, by the library
            raise InputError(
                f"{self._name}: its compressed data ({self._kind}) are damaged: {error}"
            ) from error

    def close(self) -> None:
        with contextlib.suppress(Exception):  # the error has been raised already
            self._stream.close()
        super().close()
