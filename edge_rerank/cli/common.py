"""What the commands share: exit codes, options, input lines, results as JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from edge_rerank.errors import InputError
from edge_rerank.reranker import Reranker
from edge_rerank.tokenization import check_text

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = """\
exit codes:
  0    done
  1    failed: the model is missing or damaged, the disk is full, the reader went away ...
  2    wrong usage or bad input; one line on standard error says what and where
  130  interrupted"""


def say(line: str) -> None:
    """Write one line to standard error, whatever the message holds."""
    with contextlib.suppress(OSError):  # nobody is listening
        print(" ".join(line.splitlines()), file=sys.stderr, flush=True)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model runs, and how."""
    parser.add_argument(
        "--model", metavar="DIR", help="model folder (default: the model that comes with it)"
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads (default: all the process may use)"
    )
    parser.add_argument(
        "--max-length", type=int, metavar="N", help="most tokens of a pair (default: the model's)"
    )
    parser.add_argument(
        "--skip-verify", action="store_true", help="do not check the model files' SHA-256"
    )


def open_reranker(options: argparse.Namespace) -> Reranker:
    """Load the model that :func:`add_model_options` asked for."""
    return Reranker.load(
        options.model,
        threads=options.threads,
        max_length=options.max_length,
        verify=not options.skip_verify,
    )


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


def count_lines(name: str) -> int | None:
    """Count the lines of a file for a progress bar; None where it is no plain file."""
    if not os.path.isfile(name):
        return None
    with open(name, "rb") as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))


def to_json_line(value: object) -> str:
    """Give ``value`` as one line of JSON.

    A lone surrogate, which JSON can hold as an escape, is kept as an escape.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


@contextmanager
def open_output(name: str) -> Iterator[IO[str]]:
    """Open standard output for ``-``, or a file that appears whole, or not at all."""
    if name == "-":
        yield sys.stdout
        return
    path = Path(name).resolve()  # so that a link stays, and what it points to is replaced
    if path.is_dir():
        raise InputError(f"{name}: is a folder; expected a file to write")
    if path.exists() and not path.is_file():  # /dev/stdout, a named pipe
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as stream:
            yield stream
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
