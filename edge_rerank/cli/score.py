"""``edge-rerank score``: pairs in, the same objects with scores out, line by line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edge_rerank.cli.common import add_loading_options, add_model_option, open_reranker
from edge_rerank.cli.failures import EXIT_CODES, EXIT_OK, UnfinishedError
from edge_rerank.cli.long_documents import add_long_document_options, long_document_arguments
from edge_rerank.cli.parser import whole_number
from edge_rerank.cli.progress import ProgressLine
from edge_rerank.cli.scoring import ON_ERROR, Line, Members, Scorer, lines_of
from edge_rerank.cli.streams import say
from edge_rerank.errors import InputError
from edge_rerank.reading.entries import FORMATS, open_entries
from edge_rerank.reranker import AT_A_TIME

if TYPE_CHECKING:
    from edge_rerank.cli.output import Output

_EPILOG = f"""\
Each line in is an object with "query" and "document", both strings; what else it holds, such as
an id, is passed through as it is written. Each line out is the same object with score, logit,
tokens and truncated added, in the same order; with --long-documents windows also windows, how
many were read, and window, where the best of them lies: [first character, the one behind its
last]. Memory does not grow with the number of lines. A JSON array of objects (.json) and a table
(.csv, .tsv) are read too, and so are files compressed with gzip, bz2 or xz.

A file named by --output appears when all of it is written. A run that ends early, even by a kill
or a full disk, keeps its finished lines in FILE.RANDOM.partial; the same command with --resume
goes on after them, and begins at the beginning where there are none.

A program that sends a pair and waits for its score runs it with --at-a-time 1.

examples:
  edge-rerank score --input pairs.jsonl --output scored.jsonl
  edge-rerank score pairs.csv.gz --output scored.jsonl --on-error skip --resume
  generate-pairs | edge-rerank score > scored.jsonl
  edge-rerank score a.jsonl --model A | edge-rerank score --model B --score-field b

{EXIT_CODES}
"""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "score",
        help="score query-document pairs, JSON Lines in and out",
        description="Score query-document pairs, JSON Lines in and out, in constant memory.",
        epilog=_EPILOG,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="default: standard input")
    parser.add_argument("--input", metavar="FILE", help="the same, as an option")
    parser.add_argument("--output", default="-", metavar="FILE", help="default: standard output")
    parser.add_argument(
        "--format",
        choices=[form for form in FORMATS if form != "text"],
        default="auto",
        help="of the input (default: auto, by the file's name and how it begins)",
    )
    parser.add_argument("--query-field", default="query", metavar="NAME", help="default: query")
    parser.add_argument(
        "--text-field", default="document", metavar="NAME", help="default: document"
    )
    parser.add_argument(
        "--score-field",
        default="score",
        metavar="NAME",
        help="name of the score that is added; with another than score, NAME_logit, NAME_tokens "
        "and NAME_truncated are added beside it (default: score, logit, tokens, truncated)",
    )
    parser.add_argument("--logits", action="store_true", help="make score the raw logit")
    parser.add_argument(
        "--on-error",
        choices=ON_ERROR,
        default="stop",
        help="at a line that cannot be scored: stop (default), skip it, or write it with a score "
        "of null and an error; the bad lines are counted at the end",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on after the lines that an earlier run finished"
    )
    parser.add_argument(
        "--at-a-time",
        type=whole_number,
        default=AT_A_TIME,
        metavar="N",
        help="pairs read before their scores are written (default: %(default)s)",
    )
    add_long_document_options(parser)
    add_model_option(parser)
    add_loading_options(parser)
    parser.set_defaults(run=run, texts=("query_field", "text_field", "score_field"))


def run(options: argparse.Namespace) -> int:
    """Score line by line."""
    from edge_rerank.cli.output import open_output, same_file  # other commands start sooner without

    name = _input_name(options)
    how = long_document_arguments(options)
    windows = options.long_documents == "windows"
    members = Members.named(options.score_field, windows=windows)
    with open_entries(name, options.format) as entries:
        if same_file(options.output, entries.source.identity()):
            raise InputError(f"{entries.source.name}: is the output as well; name another file")
        lines = lines_of(
            entries, query_field=options.query_field, text_field=options.text_field, members=members
        )
        output = open_output(options.output, resume=options.resume)
        try:
            _score_all(options, how, lines, members, output, entries.source.share)
            output.publish()
        except BaseException as error:
            raise UnfinishedError(error, output.stop()) from error
    return EXIT_OK


def _input_name(options: argparse.Namespace) -> str:
    if options.file is not None and options.input is not None:
        raise InputError("the input is named both by an argument and by --input; use one of them")
    name = options.file if options.input is None else options.input
    if name == "":
        raise InputError("the input's name is empty; is the shell variable set?")
    return "-" if name is None else str(name)


def _score_all(
    options: argparse.Namespace,
    how: Mapping[str, Any],
    lines: Iterator[Line],
    members: Members,
    output: Output,
    share: Any,
) -> None:
    with open_reranker(options) as reranker, closing(ProgressLine("pairs", share=share)) as bar:
        scorer = Scorer(
            reranker, members, logits=options.logits, on_error=options.on_error, how=how
        )
        if output.leftover is not None:
            from edge_rerank.cli.resuming import after_leftover

            say(f"edge-rerank: going on after line {output.lines:,} of {output.leftover.path}")
            lines = after_leftover(lines, output.leftover, scorer)
        first = output.lines
        for batch in scorer.batches(lines, options.at_a_time):
            output.write(batch)
            bar.show(output.lines - first)
    scorer.check_result(scored=output.lines)
