"""``edge-rerank verify``: does this machine give the scores that the artifact promises?"""

from __future__ import annotations

import argparse
from typing import Any

from edge_rerank.cli.common import (
    add_engine_options,
    add_model_argument,
    add_threads_option,
    model_of,
    path_text,
    to_json,
)
from edge_rerank.cli.failures import EXIT_CODES, EXIT_FAILED, EXIT_OK, in_options
from edge_rerank.cli.parser import number, whole_number
from edge_rerank.cli.streams import say
from edge_rerank.errors import EdgeRerankError, InputError
from edge_rerank.parity.limits import INT8_RMS

_EPILOG = f"""\
The model's probe pairs are scored and compared with the fp32 logits that it carries; some are
scored again alone, in another order, twice over and on one thread, and must come out the same to
the last bit; the files are compared with their checksums and with one another.

With --reference and --pairs, the model is compared with an fp32 artifact of the same checkpoint
(edge-rerank export --precision fp32) on pairs of your own, in the format of edge-rerank score.
With --collection, BM25's best documents are reranked and measured against the judgements; that
needs the extra evaluation; a message says how to install it where it is missing.

examples:
  edge-rerank verify
  edge-rerank verify ./my-model --json
  edge-rerank verify ./my-model --reference ./my-model-fp32 --pairs pairs.jsonl
  edge-rerank verify ./my-model --reference ./my-model-fp32 --collection ./scifact

{EXIT_CODES.replace("done", "everything holds").replace("failed:", "something does not hold, or")}
"""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "verify",
        help="prove that a model's scores hold on this machine",
        description="Prove that a model's scores hold on this machine.",
        epilog=_EPILOG,
    )
    add_model_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_threads_option(parser)
    parser.add_argument(
        "--skip-checksums", action="store_true", help="do not compute the model files' SHA-256"
    )
    add_engine_options(parser)
    _add_reference_options(parser)
    parser.set_defaults(run=run, prints=True, texts=("query_field", "text_field"))


def _add_reference_options(parser: argparse.ArgumentParser) -> None:
    own = parser.add_argument_group("on texts of your own")
    own.add_argument("--reference", metavar="DIR", help="fp32 artifact to compare with")
    own.add_argument("--pairs", metavar="FILE", help="pairs, as edge-rerank score reads them")
    own.add_argument("--query-field", default="query", metavar="NAME", help="default: query")
    own.add_argument("--text-field", default="document", metavar="NAME", help="default: document")
    own.add_argument(
        "--collection", metavar="DIR", help="corpus.jsonl, queries.jsonl and qrels.tsv"
    )
    own.add_argument(
        "--depth",
        type=whole_number,
        default=100,
        metavar="N",
        help="documents of a query (default: 100)",
    )
    own.add_argument(
        "--tolerance",
        type=number,
        default=INT8_RMS,
        metavar="SIGMA",
        help="largest rms difference from the reference (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Verify, compare, evaluate; say what was found."""
    try:
        return _run(options)
    except InputError:
        raise
    except EdgeRerankError as error:
        if options.json:  # a program gets an object whatever is wrong with the model
            failure = {"type": type(error).__name__, "message": in_options(str(error))}
            print(to_json({"holds": False, "error": failure}))
        raise


def _run(options: argparse.Namespace) -> int:
    # Here, not at the top: the other commands need none of it, and start sooner without.
    from edge_rerank.cli.own_texts import measure, read_own_texts
    from edge_rerank.cli.verify_report import print_figures, print_verification
    from edge_rerank.verification.report import verify

    own = read_own_texts(options)  # what is wrong with them is said before anything is computed
    report = verify(
        model_of(options),
        threads=options.threads,
        engine=options.engine,
        kernel=options.kernel,
        checksums=not options.skip_checksums,
    )
    if not options.json:
        print_verification(report)
    if report.engine is None and own:
        say("edge-rerank: the model was not run, so it was not compared with anything either")
    figures = measure(options, own) if own and report.engine else None
    holds = report.holds and (figures is None or figures.hold)
    if options.json:
        facts = {**report.to_json(), **(figures.to_json() if figures else {}), "holds": holds}
        print(to_json({**facts, "path": path_text(report.path)}))
    elif figures:
        print_figures(figures)
    return EXIT_OK if holds else EXIT_FAILED
