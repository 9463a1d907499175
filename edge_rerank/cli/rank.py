"""``edge-rerank rank``: documents from arguments, a file or standard input, best first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

from edge_rerank.cli.common import add_loading_options, add_model_option, open_reranker
from edge_rerank.cli.failures import EXIT_CODES, EXIT_OK
from edge_rerank.cli.long_documents import (
    add_long_document_options,
    long_document_arguments,
    window_facts,
)
from edge_rerank.cli.parser import number, whole_number
from edge_rerank.cli.progress import ProgressLine
from edge_rerank.cli.table import print_table
from edge_rerank.errors import InputError
from edge_rerank.reading.entries import FORMATS, JSON, JSONL, TEXT, Entries, Entry, open_entries
from edge_rerank.reading.objects import Record, text_under
from edge_rerank.results import Document, RankedDocument

_EPILOG = f"""\
Documents are the arguments after the query, or what --file or standard input (-) holds: lines of
text, JSON Lines, a JSON array, or a table (.csv, .tsv) whose first row names the fields. The form
goes by the file's name and by how it begins; --format says it where neither tells. Objects and
tables have the text under --text-field. Files compressed with gzip, bz2 or xz are read too.

examples:
  edge-rerank rank "how do plants eat?" "Photosynthesis ..." "Steel bridges ..."
  edge-rerank rank "how do plants eat?" --file passages.txt --top-k 3
  edge-rerank rank "how do plants eat?" --file corpus.jsonl --text-field body --json
  cat passages.txt | edge-rerank rank "how do plants eat?"

With --json each line has rank, index (from 0), score, logit, tokens, truncated and document; with
--long-documents windows also windows, how many were read, and window, where the best of them lies:
[first character, the one behind its last].

{EXIT_CODES}
"""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "rank",
        help="rank documents for a query",
        description="Rank documents by how well they answer a query, best first.",
        epilog=_EPILOG,
    )
    parser.add_argument("query", metavar="QUERY", help="the question or search words")
    parser.add_argument(
        "documents", metavar="DOC", nargs="*", default=[], help="a document; -: standard input"
    )
    parser.add_argument("--file", metavar="FILE", help="the documents; -: standard input")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="of the file or standard input (default: auto, by the name and how it begins)",
    )
    parser.add_argument(
        "--jsonl",
        action="store_const",
        dest="format",
        const=JSONL,
        help="the same as --format jsonl",
    )
    parser.add_argument("--text-field", default="text", metavar="NAME", help="default: text")
    parser.add_argument("--top-k", type=whole_number, metavar="K", help="print only the K best")
    parser.add_argument("--logits", action="store_true", help="show raw logits, not scores")
    parser.add_argument("--json", action="store_true", help="print JSON Lines instead of a table")
    parser.add_argument(
        "--timeout", type=number, metavar="S", help="most seconds for scoring (default: any number)"
    )
    add_long_document_options(parser)
    add_model_option(parser)
    add_loading_options(parser)
    parser.set_defaults(run=run, prints=True, texts=("query", "documents", "text_field"))


def run(options: argparse.Namespace) -> int:
    """Rank and print."""
    if not options.query.strip():
        raise InputError("the query is empty; is the shell variable set?")
    name, how = _file_name(options), long_document_arguments(options)
    with ExitStack() as stack:
        entries = None
        if name is not None:  # what cannot be read is refused before the model is loaded
            entries = stack.enter_context(
                open_entries(name, options.format or "auto", fallback=TEXT)
            )
        share = None if entries is None else entries.source.share
        reranker = stack.enter_context(open_reranker(options))
        bar = stack.enter_context(closing(ProgressLine("documents", share=share)))
        ranked = reranker.rank(
            options.query,
            options.documents if entries is None else _documents(entries, options.text_field),
            top_k=options.top_k,
            return_documents=True,
            scores="logits" if options.logits else None,
            text_field=options.text_field,
            progress=bar.show,
            timeout=options.timeout,
            **how,
        )
    if options.json:
        _print_json(ranked)
    else:
        print_table(ranked, text_field=options.text_field, logits=options.logits)
    return EXIT_OK


def _file_name(options: argparse.Namespace) -> str | None:
    """Return where documents are read from; None where they are arguments."""
    if options.documents == ["-"] and options.file is None:
        return "-"
    if options.documents and (options.file is not None or options.format is not None):
        raise InputError(
            "documents are given both as arguments and by --file or --format; use one of them"
        )
    if options.documents:
        return None
    if options.file == "":
        raise InputError("the file's name is empty; is the shell variable set?")
    if options.file is None and (sys.stdin is None or sys.stdin.isatty()):
        raise InputError(
            "no documents: give them as arguments after the query, with --file FILE, or on "
            "standard input"
        )
    return options.file or "-"


def _documents(entries: Entries, field: str) -> Iterator[Document]:
    entries.begin()
    for entry in entries:
        yield entry.line() if entries.form == TEXT else _object(entry, entries.form, field)


def _object(entry: Entry, form: str, field: str) -> Document:
    value = entry.value()
    if form == JSON and isinstance(value, str):
        return value
    record = value if isinstance(value, Record) else entry.record()
    text_under(record, field, entry.place, "--text-field")
    return record


def _print_json(ranked: list[RankedDocument[Document]]) -> None:
    for place, result in enumerate(ranked, 1):
        line = {
            "rank": place,
            "index": result.index,
            "score": result.score,
            "logit": result.logit,
            "tokens": result.tokens,
            "truncated": result.truncated,
            **window_facts(result.windows),
        }
        facts = json.dumps(line, ensure_ascii=False, allow_nan=False)
        print(f'{facts[:-1]}, "document": {_source(result.document)}}}')


def _source(document: Document | None) -> str:
    """Return a document as JSON; an object as it was written."""
    return (
        document.source
        if isinstance(document, Record)
        else json.dumps(document, ensure_ascii=False)
    )
