"""The ``edge-rerank`` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from edge_rerank import __version__
from edge_rerank.cli import bench, bundle, compare, export, info, rank, score, serve, tune, verify
from edge_rerank.cli.failures import EXIT_CODES, EXIT_USAGE, in_options, report
from edge_rerank.cli.parser import CommandParser, as_utf8
from edge_rerank.cli.signals import ended_by_signals
from edge_rerank.cli.streams import (
    require_standard_output,
    say,
    silent_output,
    standard_streams,
)
from edge_rerank.warning import tell_warnings_to

_OF_EXTRAS = ("export", "tune")
_EPILOG = f"""\
examples:
  edge-rerank rank "how do plants eat?" "Photosynthesis ..." "Steel bridges ..."
  edge-rerank rank "how do plants eat?" --file passages.txt --top-k 3
  edge-rerank score --input pairs.jsonl --output scored.jsonl
  edge-rerank export ./my-checkpoint --output ./my-model
  edge-rerank tune ./my-checkpoint --train train.jsonl --validate more.jsonl --output ./tuned
  edge-rerank info ./my-model
  edge-rerank verify ./my-model
  edge-rerank bench ./my-model
  edge-rerank compare --collection ./scifact --model mini --model ./my-model
  edge-rerank serve --model ./my-model
  edge-rerank bundle --model ./my-model --output kit.tar

{EXIT_CODES}

environment:
  EDGE_RERANK_THREADS  threads, or auto (default: all the process may use)
  EDGE_RERANK_KERNEL   the native engine's kernel (default: the fastest for this CPU)
  EDGE_RERANK_TOKENIZER
                       native or tokenizers (default: native where it knows the file)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; ``None`` takes the process's arguments.

    Only a run of the process's own arguments touches its streams and signals.
    """
    with ExitStack() as stack:
        try:
            if arguments is not None:
                return _run(list(arguments))
            stack.enter_context(standard_streams())
            stack.enter_context(ended_by_signals())
            tell_warnings_to(lambda warning: say(f"edge-rerank: {in_options(warning)}"))
            if sys.argv[1:2] in ([name] for name in _OF_EXTRAS):
                # torch's threads sleep while they have nothing to do. By default they ask over and
                # over for a while, which on virtual machines takes several times as long.
                os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
            else:
                # NumPy's threads, which the other commands do not need: where one cannot be made,
                # OpenBLAS sends its own process an interrupt.
                os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
            return _run(sys.argv[1:], process=True)
        except BaseException as error:
            return report(error)


def _run(words: list[str], *, process: bool = False) -> int:
    try:
        options = _parsed(words)
    except SystemExit as error:  # argparse: --help, --version and bad usage
        _flush()
        return error.code if isinstance(error.code, int) else EXIT_USAGE
    if process:
        _read_texts(options)
    run: Callable[[argparse.Namespace], int] = options.run
    with ExitStack() as stack:
        prints: bool | None = getattr(options, "prints", None)
        if prints:
            require_standard_output()
        elif prints is False and sys.stdout is None:
            stack.enter_context(silent_output())
        code = run(options)
        _flush()
    return code


def _flush() -> None:
    """Write what is printed, so that a full disk is an error and no success."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _parsed(words: list[str]) -> argparse.Namespace:
    parser, commands = build_parser(words[0] if words[:1] else "")
    if words and words[0] in commands:
        return commands[words[0]].parse_command(words[1:])
    later = next((word for word in words if word in commands), None)
    if later is not None and words[0] not in ("-h", "--help", "--version"):
        parser.error(f"options come after the command: edge-rerank {later} {words[0]} ...")
    return parser.parse_args(words)


def build_parser(command: str | None = None) -> tuple[CommandParser, dict[str, CommandParser]]:
    """Make the parser, and those of the commands; None has the options of all of them.

    Where ``command`` is another one, those of extras are left out: they take an import that the
    other commands can do without.
    """
    parser = CommandParser(
        prog="edge-rerank",
        description="Rank passages for a query with a cross-encoder, on the CPU, offline.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"edge-rerank {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    rank.add_command(commands)
    score.add_command(commands)
    export.add_command(commands, with_options=command in (None, "export"))
    tune.add_command(commands, with_options=command in (None, "tune"))
    info.add_command(commands)
    verify.add_command(commands)
    bench.add_command(commands)
    compare.add_command(commands)
    serve.add_command(commands)
    bundle.add_command(commands)
    return parser, dict(commands.choices)


def _read_texts(options: argparse.Namespace) -> None:
    """Read the arguments that are texts as UTF-8; paths stay as the system has them."""
    for name in getattr(options, "texts", ()):
        value = getattr(options, name, None)
        if isinstance(value, str):
            setattr(options, name, as_utf8(value))
        elif isinstance(value, list):
            setattr(options, name, list(map(as_utf8, value)))
