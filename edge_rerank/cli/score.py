"""``edge-rerank score``: pairs as JSONL in, the same lines with scores out, streaming."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from edge_rerank.cli.common import (
    EXIT_CODES,
    EXIT_OK,
    add_model_options,
    open_output,
    open_reranker,
    to_json_line,
)
from edge_rerank.cli.progress import Progress
from edge_rerank.errors import InputError
from edge_rerank.lines import open_lines, parse_object, text_under
from edge_rerank.reranker import AT_A_TIME

_ADDED = ("score", "logit", "tokens", "truncated")
_EPILOG = f"""\
Each line in is an object with "query" and "document", both strings; what else it holds, such as
an id, is passed through. Each line out is the same object with score, logit, tokens and truncated
added, in the same order. Memory does not grow with the number of lines. A file given by --output
appears when all of it is written. A program that sends a pair and waits for its score runs it
with --at-a-time 1.

examples:
  edge-rerank score --input pairs.jsonl --output scored.jsonl
  generate-pairs | edge-rerank score > scored.jsonl

{EXIT_CODES}
"""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "score",
        help="score query-document pairs, JSONL in and out",
        description="Score query-document pairs, JSONL in and out, in constant memory.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--input", default="-", metavar="FILE", help="default: standard input")
    parser.add_argument("--output", default="-", metavar="FILE", help="default: standard output")
    parser.add_argument("--query-field", default="query", metavar="NAME", help="default: query")
    parser.add_argument(
        "--text-field", default="document", metavar="NAME", help="default: document"
    )
    parser.add_argument("--logits", action="store_true", help="make score the raw logit")
    parser.add_argument(
        "--at-a-time",
        type=int,
        default=AT_A_TIME,
        metavar="N",
        help="pairs read before their scores are written (default: %(default)s)",
    )
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Score line by line."""
    waiting: deque[dict[str, Any]] = deque()
    bad: list[InputError] = []
    progress = Progress("pairs", file=options.input)
    with (
        open_lines(options.input) as lines,
        open_reranker(options) as reranker,
        open_output(options.output) as output,
        closing(progress),
    ):
        pairs = _pairs(lines, options, waiting, bad)
        scored = reranker.score(
            pairs, scores="logits" if options.logits else None, at_a_time=options.at_a_time
        )
        for count, pair in enumerate(scored, 1):
            value = waiting.popleft()
            value.update({name: getattr(pair, name) for name in _ADDED})
            output.write(to_json_line(value) + "\n")
            if count % options.at_a_time == 0:
                output.flush()
            progress.show(count)
        if bad:
            raise bad[0]
    return EXIT_OK


def _pairs(
    lines: Iterator[tuple[str, str]],
    options: argparse.Namespace,
    waiting: deque[dict[str, Any]],
    bad: list[InputError],
) -> Iterator[tuple[str, str]]:
    """Give the pairs, and keep each line's object until its score is there.

    A bad line ends them and is left in ``bad``, so that the lines before it are scored first.
    """
    try:
        for place, line in lines:
            if not line.strip():
                continue
            value = parse_object(line, place)
            query = text_under(value, options.query_field, place, "--query-field")
            document = text_under(value, options.text_field, place, "--text-field")
            waiting.append(value)
            yield query, document
    except InputError as error:
        bad.append(error)
