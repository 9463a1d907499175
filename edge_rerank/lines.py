"""Files of lines: every complaint names the file and the line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from edge_rerank.errors import InputError
from edge_rerank.pairs import check_text


@contextmanager
def open_lines(name: str) -> Iterator[Iterator[tuple[str, str]]]:
    """Open a UTF-8 file, or standard input for ``-``, as (place, line) with line ends removed.

    A place is ``FILE:NUMBER``. Raises InputError for a file that cannot be read or is not UTF-8.
    """
    shown = "standard input" if name == "-" else name
    if name == "-" and sys.stdin is None:
        raise InputError("there is no standard input; name a file")
    try:
        if name == "-":
            yield _lines(sys.stdin.buffer, shown)
        else:
            with open(name, "rb") as stream:
                yield _lines(stream, shown)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if error.filename != name:
            raise
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error


def _lines(stream: IO[bytes], shown: str) -> Iterator[tuple[str, str]]:
    for number, raw in enumerate(stream, 1):
        place = f"{shown}:{number}"
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")  # the byte order mark of Windows editors
        try:
            yield place, raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{place}: not UTF-8: byte {raw[error.start]:#04x} at {error.start}; convert it"
            ) from error


def parse_object(line: str, place: str) -> dict[str, Any]:
    """Read one line of JSONL, which must be an object; raises InputError naming the place."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", str(error))
        column = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{place}: not valid JSON: {reason}{column}") from error
    if not isinstance(value, dict):
        raise InputError(f"{place}: expected a JSON object, found {line[:60]!a}")
    return value


def text_under(value: dict[str, Any], field: str, place: str, option: str) -> str:
    """Take the text that a line's object has under ``field``, which ``option`` names."""
    if field not in value:
        fields = ", ".join(value) or "none"
        raise InputError(f"{place}: no field {field!r}, only {fields}; name it with {option}")
    text = value[field]
    check_text(text, f"{place}: {field!r}")
    return str(text)
