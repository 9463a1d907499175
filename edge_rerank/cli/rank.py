"""``edge-rerank rank``: documents from arguments, a file or standard input, best first."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from edge_rerank.cli.common import (
    EXIT_CODES,
    EXIT_OK,
    add_model_options,
    open_reranker,
    to_json_line,
)
from edge_rerank.cli.progress import Progress
from edge_rerank.cli.table import print_table
from edge_rerank.errors import InputError
from edge_rerank.lines import open_lines, parse_object, text_under
from edge_rerank.results import Document, RankedDocument

_EPILOG = f"""\
Documents are the arguments after the query; or the lines of --file, each a document or, in a
file that ends in .jsonl, an object with a text field; or the lines of standard input.

examples:
  edge-rerank rank "how do plants eat?" "Photosynthesis ..." "Steel bridges ..."
  edge-rerank rank "how do plants eat?" --file passages.txt --top-k 3
  edge-rerank rank "how do plants eat?" --file corpus.jsonl --text-field body --json
  cat passages.txt | edge-rerank rank "how do plants eat?"

With --json each line has rank, index (from 0), score, logit, tokens, truncated and document.

{EXIT_CODES}
"""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "rank",
        help="rank documents for a query",
        description="Rank documents by how well they answer a query, best first.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("query", metavar="QUERY", help="the question or search words")
    parser.add_argument("documents", metavar="DOC", nargs="*", help="a document")
    parser.add_argument(
        "--file", metavar="FILE", help="one document a line; .jsonl: one object; -: standard input"
    )
    parser.add_argument("--jsonl", action="store_true", help="lines are objects, whatever the name")
    parser.add_argument("--text-field", default="text", metavar="NAME", help="default: text")
    parser.add_argument("--top-k", type=int, metavar="K", help="print only the K best")
    parser.add_argument("--logits", action="store_true", help="show raw logits, not scores")
    parser.add_argument("--json", action="store_true", help="print JSONL instead of a table")
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Rank and print."""
    if options.documents and (options.file is not None or options.jsonl):
        raise InputError("documents are given both as arguments and by --file or --jsonl; use one")
    progress = Progress("documents", file=options.file or "-")
    with open_reranker(options) as reranker, closing(progress):
        ranked = reranker.rank(
            options.query,
            _documents(options),
            top_k=options.top_k,
            return_documents=True,
            scores="logits" if options.logits else None,
            text_field=options.text_field,
            progress=progress.show,
        )
    if options.json:
        _print_json(ranked)
    else:
        print_table(ranked, text_field=options.text_field, logits=options.logits)
    return EXIT_OK


def _documents(options: argparse.Namespace) -> Iterator[Document]:
    if options.documents:
        yield from options.documents
        return
    name = "-" if options.file is None else options.file
    if options.file is None and sys.stdin is not None and sys.stdin.isatty():
        raise InputError("no documents: give them as arguments, with --file, or on standard input")
    with open_lines(name) as lines:
        objects = options.jsonl or name.lower().endswith(".jsonl")
        for place, line in lines:
            if line.strip():
                yield _object(line, place, options.text_field) if objects else line


def _object(line: str, place: str, field: str) -> dict[str, Any]:
    value = parse_object(line, place)
    text_under(value, field, place, "--text-field")
    return value


def _print_json(ranked: list[RankedDocument]) -> None:
    for place, result in enumerate(ranked, 1):
        line = {
            "rank": place,
            "index": result.index,
            "score": result.score,
            "logit": result.logit,
            "tokens": result.tokens,
            "truncated": result.truncated,
            "document": result.document,
        }
        print(to_json_line(line))
