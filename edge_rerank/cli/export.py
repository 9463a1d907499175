"""``edge-rerank export``: hands over to the exporter, which is installed as an extra."""

from __future__ import annotations

from typing import Any

from edge_rerank.cli.extras import Extra, hand_over
from edge_rerank.cli.failures import EXIT_CODES

_EXTRA = Extra("export", "the exporter", "edge_rerank_export.cli")
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
    if with_options:
        hand_over(parser, _EXTRA, prints=False, texts=("revision", "name", "license"))
