"""Commands that are installed as extras: their options come from the extra's own command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from edge_rerank.cli.failures import EXIT_FAILED
from edge_rerank.cli.streams import say
from edge_rerank.installation import install_command


@dataclass(frozen=True, slots=True)
class Extra:
    """A command's extra; the command has its name."""

    name: str
    what: str
    """What messages call it."""
    command_line: str
    """The module with its arguments, which imports nothing heavy; only a run does."""


def hand_over(parser: Any, extra: Extra, **defaults: Any) -> None:
    """Add the extra's options to its command's parser; ``defaults`` are the parser's where it is.

    Where it is not installed, the command takes any words and says how to install it.
    """
    try:
        module: Any = import_module(extra.command_line)
    except ImportError as error:
        reason = str(error)
        parser.set_defaults(run=lambda options: _refuse(extra, reason), any_words=True)
        return
    module.add_arguments(parser)
    parser.set_defaults(run=lambda options: _run(extra, module, options), **defaults)


def _run(extra: Extra, module: Any, options: argparse.Namespace) -> int:
    try:
        return int(module.run(options))
    except ModuleNotFoundError as error:
        return _refuse(extra, str(error))


def _refuse(extra: Extra, reason: str) -> int:
    say(
        f"edge-rerank {extra.name}: {reason}; {extra.what} is an extra, install it with: "
        f"{install_command(extra.name)}"
    )
    return EXIT_FAILED
