"""The commands: prepare environments, run, render the report, look for regressions."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .peers.catalogue import CATALOGUE
from .peers.environments import (
    ENVIRONMENTS,
    EnvironmentMissingError,
    Environments,
    cache_folder,
)
from .run.plan import PLANS, SECTIONS
from .run.results import ResultsError

RESULTS = Path("bench/results")


def say(text: str) -> None:
    """Print progress with the time of day."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code."""
    options = build_parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except ResultsError as error:
        print(f"edge_rerank_bench: {error}", file=sys.stderr)
        return 1
    return code


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m edge_rerank_bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_prepare(commands)
    _add_report(commands)
    _add_regression(commands)
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cache", type=Path, default=cache_folder(), help="default: the user's cache folder"
    )
    parser.add_argument(
        "--environment",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="an environment of your own in place of one made here; may be repeated",
    )


def _add_what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", action="append", metavar="NAME", help="only these engines")
    parser.add_argument("--threads", type=int, help="default: 2, or 1 where there is but one")
    parser.add_argument(
        "--checkpoint", type=Path, help="of xsmall's shape, trained; default: random weights"
    )
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json for random weights")


def _add_prepare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("prepare", help="make the peers' environments, pinned")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENVIRONMENTS)}")
    parser.add_argument(
        "--models",
        action="store_true",
        help="also convert the models for every engine, and let each score two pairs",
    )
    parser.add_argument(
        "--section",
        action="append",
        choices=SECTIONS,
        help="with --models: only the shapes of these; may be repeated",
    )
    _add_what(parser)
    _add_places(parser)
    parser.set_defaults(run=prepare, plan="quick", budget=None, title=None)


def _add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "report",
        help="measure, and write Markdown, plots and the raw record",
        description="Measure beside all peers that are prepared, and write the report.",
    )
    parser.add_argument("--render-only", action="store_true", help="from the record that is there")
    how = parser.add_mutually_exclusive_group()
    for name in PLANS:
        text = f"{sum(PLANS[name].budget.values()) / 60:.0f} minutes and the starting of engines"
        how.add_argument(f"--{name}", dest="plan", action="store_const", const=name, help=text)
    parser.add_argument(
        "--section", action="append", choices=SECTIONS, help="only this; may be repeated"
    )
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="for all sections together")
    parser.add_argument("--title", help="what the report calls the checkpoint")
    _add_what(parser)
    parser.add_argument("--output", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    _add_places(parser)
    parser.set_defaults(run=report, plan="standard")


def _add_regression(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from .regression import add_arguments, regression

    parser = commands.add_parser("regression", help="compare the micro-benchmarks' ratios")
    add_arguments(parser)
    parser.set_defaults(run=regression)


def prepare(options: argparse.Namespace) -> int:
    """Make the environments that are named, or all."""
    unknown = set(options.names) - set(ENVIRONMENTS)
    if unknown:
        raise SystemExit(f"no such environment: {', '.join(unknown)}; {', '.join(ENVIRONMENTS)}")
    environments = Environments(options.cache, given(options.environment))
    failed = False
    for name in options.names or ENVIRONMENTS:
        try:
            say(f"{name}: {environments.make(name, say)}")
        except EnvironmentMissingError as error:
            failed = True
            say(f"{name}: {error}")
    if options.models and not failed:
        from .run.readiness import make_ready

        missing = make_ready(options, environments, say)
        for name, why in missing.items():
            say(f"{name} cannot run: {why}")
        # These need a download of their own.
        own = [engine.name for engine in CATALOGUE if not engine.same_model]
        failed = any(not name.endswith(tuple(own)) for name in missing)
    return int(failed)


def report(options: argparse.Namespace) -> int:
    """Measure unless that is not wanted, then render."""
    from .report.write import render
    from .run.measuring import measure

    if not options.render_only:
        measure(options, Environments(options.cache, given(options.environment)), say)
    for file in render(options.output):
        say(f"wrote {file}")
    return 0


def given(words: Sequence[str]) -> dict[str, Path]:
    """Read NAME=PYTHON; raises SystemExit for anything else."""
    found = {}
    for word in words:
        name, equals, python = word.partition("=")
        if not equals or name not in ENVIRONMENTS:
            raise SystemExit(f"--environment {word}: expected {'|'.join(ENVIRONMENTS)}=PYTHON")
        found[name] = Path(python).absolute()
    return found
