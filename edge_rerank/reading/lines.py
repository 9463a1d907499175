"""Lines of UTF-8 text: every complaint names the file and the line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from edge_rerank.errors import InputError
from edge_rerank.reading.source import open_source


@contextmanager
def open_lines(name: str) -> Iterator[Iterator[tuple[str, str]]]:
    """Open a UTF-8 file, or standard input for ``-``, as (place, line) with line ends removed.

    A place is ``FILE:NUMBER``. Raises InputError for a file that cannot be read or is not UTF-8.
    """
    with open_source(name) as source:
        yield text_lines(source.open(), source.name)


def text_lines(stream: Iterable[bytes], name: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each line."""
    for number, raw in enumerate(stream, 1):
        place = f"{name}:{number}"
        yield place, decoded(raw, place).rstrip("\r\n")


def decoded(raw: bytes, place: str) -> str:
    """Read UTF-8; raises InputError that names the place and the byte."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place}: not UTF-8: byte {raw[error.start]:#04x} at {error.start}; convert it"
        ) from error
