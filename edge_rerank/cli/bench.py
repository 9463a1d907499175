"""``edge-rerank bench``: how fast a model is on this machine, and how best to call it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edge_rerank.cli.common import (
    add_engine_options,
    add_model_argument,
    model_of,
    path_text,
    to_json,
)
from edge_rerank.cli.failures import EXIT_CODES, EXIT_OK
from edge_rerank.cli.parser import number, thread_count
from edge_rerank.cli.progress import ProgressLine
from edge_rerank.cli.sections import print_section

if TYPE_CHECKING:
    from edge_rerank.benchmark import Benchmark, Row

_EPILOG = f"""\
Calls with different numbers of threads take turns, and so do calls with different numbers of
passages, so that other programs on the machine hurt all alike. Nothing leaves the machine.

examples:
  edge-rerank bench
  edge-rerank bench ./my-model --seconds 60
  edge-rerank bench ./my-model --json > this-machine.json

{EXIT_CODES}
"""
_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("threads", lambda row: str(row.threads)),
    ("passages", lambda row: str(row.passages)),
    ("p50 ms", lambda row: _digits(row.p50 * 1000)),
    ("p95 ms", lambda row: _digits(row.p95 * 1000)),
    ("passages/s", lambda row: _digits(row.passages_per_second)),
    ("tokens/s", lambda row: f"{row.tokens_per_second:,.0f}"),
    ("speed", lambda row: f"{row.speed:.2f}"),
    ("calls", lambda row: str(row.calls)),
)


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="measure how fast a model is on this machine",
        description="Measure how fast a model is on this machine, and say how best to call it.",
        epilog=_EPILOG,
    )
    add_model_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--seconds",
        type=number,
        default=20.0,
        metavar="N",
        help="about how long to measure, 1 to 60 (default: %(default)g)",
    )
    parser.add_argument(
        "--threads",
        type=thread_count,
        metavar="N",
        help="measure with N threads alone, or with auto: all (default: 1, 2, 4 ... all)",
    )
    add_engine_options(parser)
    parser.set_defaults(run=run, prints=True)


def run(options: argparse.Namespace) -> int:
    """Measure, and say what was found."""
    from edge_rerank.benchmark import benchmark  # the other commands start sooner without

    with closing(ProgressLine("calls")) as bar:
        found = benchmark(
            model_of(options),
            seconds=options.seconds,
            threads=options.threads,
            engine=options.engine,
            kernel=options.kernel,
            progress=bar.show,
        )
    if options.json:
        print(to_json({**found.to_json(), "path": path_text(found.path)}))
    else:
        _print(found)
    return EXIT_OK


def _print(found: Benchmark) -> None:
    facts = {"name": found.name, "folder": path_text(found.path), "precision": found.precision}
    print_section("model", {**facts, "size": f"{found.size / 1e6:,.1f} MB"})
    cpu, engine = found.cpu, found.engine
    features = "unknown" if cpu.features is None else " ".join(cpu.features) or "none of note"
    machine = {
        "processor": f"{cpu.model or 'unknown'} ({cpu.machine})",
        "features": features,
        "engine": f"{engine.engine} {engine.version}",
    }
    if engine.kernel is not None:
        machine["kernel"] = engine.kernel
    print_section("this machine", {**machine, "load": f"{_digits(found.load_seconds)} s"})
    print(f"passages of {found.words} words, by threads; speed is against the first line:")
    _print_rows(found.threads)
    print("by passages of a call; speed is passages a second against the first line:")
    _print_rows(found.sizes)
    print(
        f"suggestion: --threads {found.best_threads}, {found.best_size} passages or more in a call "
        f"(edge-rerank score --at-a-time {found.best_size}): the fewest that come within 5 % of "
        "the best"
    )


def _print_rows(rows: Sequence[Row]) -> None:
    lines = [[name for name, _ in _COLUMNS], *([show(row) for _, show in _COLUMNS] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True))
        print("  " + "  ".join(cells))


def _digits(value: float) -> str:
    """Return three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
