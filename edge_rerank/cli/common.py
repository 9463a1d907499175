"""What the commands share: exit codes, options, results as JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edge_rerank.engines.choose import ENGINES
from edge_rerank.errors import InputError
from edge_rerank.reranker import Reranker

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
    parser.add_argument(
        "--skip-self-check", action="store_true", help="do not score two probe pairs at the start"
    )
    add_engine_options(parser)


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what computes."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="default: auto, the native engine where it can run the model, else onnxruntime",
    )
    parser.add_argument(
        "--kernel",
        metavar="NAME",
        help="kernel of the native engine, such as avx2 (default: the fastest for this CPU)",
    )


def open_reranker(options: argparse.Namespace) -> Reranker:
    """Load the model that :func:`add_model_options` asked for."""
    return Reranker.load(
        options.model,
        threads=options.threads,
        max_length=options.max_length,
        engine=options.engine,
        kernel=options.kernel,
        verify=not options.skip_verify,
        self_check=not options.skip_self_check,
    )


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
