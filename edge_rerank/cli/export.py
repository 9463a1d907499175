"""``edge-rerank export``: hands over to the exporter, which is installed as an extra."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

from edge_rerank.cli.failures import EXIT_CODES, EXIT_FAILED
from edge_rerank.cli.streams import say
from edge_rerank.installation import install_command

_MISSING = "edge-rerank export: {error}; the exporter is an extra, install it with: {command}"
_EPILOG = f"""\
examples:
  edge-rerank export ./checkpoint --output ./model
  edge-rerank export mixedbread-ai/mxbai-rerank-xsmall-v1 --output ./mxbai-xsmall

{EXIT_CODES}
"""


def add_command(commands: Any, *, with_options: bool = True) -> None:
    """Add the command to the parser; its options come from the exporter, ``with_options``."""
    parser = commands.add_parser(
        "export",
        help="turn a checkpoint into a model folder",
        description="Turn a cross-encoder checkpoint (DeBERTa, BERT, RoBERTa, ModernBERT) into a "
        "model folder.",
        epilog=_EPILOG,
    )
    if not with_options:
        return
    try:
        # Its command line imports no torch; only a run does.
        exporter: Any = import_module("edge_rerank_export.cli")
    except ImportError as error:
        reason = str(error)
        parser.set_defaults(run=lambda options: _refuse(reason), any_words=True)
        return
    exporter.add_arguments(parser)
    parser.set_defaults(
        run=lambda options: _run(exporter, options),
        prints=False,
        texts=("revision", "name", "license"),
    )


def _run(exporter: Any, options: argparse.Namespace) -> int:
    try:
        return int(exporter.run(options))
    except ModuleNotFoundError as error:
        return _refuse(str(error))


def _refuse(reason: str) -> int:
    say(_MISSING.format(error=reason, command=install_command("export")))
    return EXIT_FAILED
