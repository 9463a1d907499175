"""The ``edge-rerank`` command."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from edge_rerank import __version__
from edge_rerank.cli import bench, export, info, rank, score, verify
from edge_rerank.cli.common import EXIT_CODES, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, say
from edge_rerank.errors import EdgeRerankError, InputError

_EPILOG = f"""\
examples:
  edge-rerank rank "how do plants eat?" "Photosynthesis ..." "Steel bridges ..."
  edge-rerank rank "how do plants eat?" --file passages.txt --top-k 3
  edge-rerank score --input pairs.jsonl --output scored.jsonl
  edge-rerank export ./my-checkpoint --output ./my-model
  edge-rerank info ./my-model
  edge-rerank verify ./my-model
  edge-rerank bench ./my-model

{EXIT_CODES}

environment:
  EDGE_RERANK_THREADS  how many threads to use (default: all the process may use)
  EDGE_RERANK_KERNEL   the native engine's kernel (default: the fastest for this CPU)
  EDGE_RERANK_TOKENIZER
                       native or tokenizers (default: native where it knows the file)
"""


class _Parser(argparse.ArgumentParser):
    """Ends bad usage with one line that says what is wrong, and where help is."""

    def error(self, message: str) -> NoReturn:
        say(f"{self.prog}: {message} (see {self.prog} --help)")
        raise SystemExit(EXIT_USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code; ``None`` takes the process's arguments."""
    _speak_utf8()
    words = [as_utf8(word) for word in sys.argv[1:]] if arguments is None else list(arguments)
    try:
        options = build_parser(exporting=words[:1] == ["export"]).parse_args(words)
        run: Callable[[argparse.Namespace], int] = options.run
        code = run(options)
        sys.stdout.flush()
        return code
    except SystemExit as error:  # argparse: --help, --version and bad usage
        return error.code if isinstance(error.code, int) else EXIT_USAGE
    except KeyboardInterrupt:
        say("edge-rerank: interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _reader_has_gone()
    except InputError as error:
        say(f"edge-rerank: {error}")
        return EXIT_USAGE
    except (EdgeRerankError, OSError, MemoryError) as error:
        say(f"edge-rerank: {str(error) or type(error).__name__}")
        return EXIT_FAILED


def build_parser(*, exporting: bool = True) -> argparse.ArgumentParser:
    """Make the parser of all commands; the exporter is imported only for ``exporting``."""
    parser = _Parser(
        prog="edge-rerank",
        description="Rank passages for a query with a cross-encoder, on the CPU, offline.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edge-rerank {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    rank.add_command(commands)
    score.add_command(commands)
    export.add_command(commands, with_options=exporting)
    info.add_command(commands)
    verify.add_command(commands)
    bench.add_command(commands)
    return parser


def _speak_utf8() -> None:
    """Write UTF-8 whatever the console's code page, and end lines with LF alone."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace", newline="\n")


def as_utf8(word: str) -> str:
    """Read an argument's bytes as UTF-8, where the locale's encoding could not read them."""
    try:
        return os.fsencode(word).decode("utf-8")
    except UnicodeError:
        return word


def _reader_has_gone() -> int:
    """End quietly after ``| head``; what is still in the buffer must not raise at exit either."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED
