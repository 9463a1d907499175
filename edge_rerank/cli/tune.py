"""``edge-rerank tune``: hands over to the tuner, which is installed as an extra."""

from __future__ import annotations

from typing import Any

from edge_rerank.cli.extras import Extra, hand_over
from edge_rerank.cli.failures import EXIT_CODES

_EXTRA = Extra("tune", "tuning", "edge_rerank_tuning.cli")
_CODES = EXIT_CODES.replace("done", "the tuned model is better").replace(
    "failed:", "it is not shown to be, or failed:"
)
_EPILOG = f"""\
A file of judged queries has one form, which is found by its first line: query, document and label;
query, documents and labels; or query, positive and negatives. Both models, before and after, are
exported and compared on the validation queries; the one after is called model only where its
nDCG@10 is better by more than chance makes.

examples:
  edge-rerank tune ./checkpoint --train train.jsonl --validate validate.jsonl --output ./tuned
  edge-rerank tune ./checkpoint --train train.jsonl --validate validate.jsonl --output ./tuned \\
      --collection ./documents
  edge-rerank rank "how do plants eat?" --file passages.txt --model ./tuned/model

{_CODES}
"""


def add_command(commands: Any, *, with_options: bool = True) -> None:
    """Add the command to the parser; its options come from the tuner, ``with_options``."""
    parser = commands.add_parser(
        "tune",
        help="sharpen a checkpoint on judged queries of your own",
        description="Train a cross-encoder checkpoint on judged queries, and say whether it ranks "
        "others better than before.",
        epilog=_EPILOG,
    )
    if with_options:
        hand_over(parser, _EXTRA, prints=True, texts=("revision", "relevant_label", "prompt"))
