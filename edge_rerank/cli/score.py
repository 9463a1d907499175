"""``edge-rerank score``: pairs in, the same objects with scores out, line by line."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack, closing
from typing import Any

from edge_rerank.cli.common import add_loading_options, add_model_option, model_of
from edge_rerank.cli.failures import EXIT_CODES, EXIT_OK
from edge_rerank.cli.long_documents import add_long_document_options, long_document_arguments
from edge_rerank.cli.parser import whole_number
from edge_rerank.cli.parts.job import CLUSTERS, Job, Loading
from edge_rerank.cli.progress import ProgressLine
from edge_rerank.cli.scoring import ON_ERROR, Members
from edge_rerank.errors import InputError
from edge_rerank.reading.entries import AUTO, FORMATS, PARQUET, form_of, open_entries
from edge_rerank.reranker import AT_A_TIME, Reranker

_EPILOG = f"""\
Each line in is an object with "query" and "document", both strings; what else it holds, such as
an id, is passed through as it is written. Each line out is the same object with score, logit,
tokens and truncated added, in the same order; with --long-documents windows also windows, how
many were read, and window, where the best of them lies: [first character, the one behind its
last]. Memory does not grow with the number of lines. A JSON array of objects (.json) and a table
(.csv, .tsv) are read too, and so are files compressed with gzip, bz2 or xz, and Parquet.

A folder is read file by file into a folder of the same names: Parquet becomes Parquet with the
scores as columns, all else JSON Lines. A part is whole or not there; --resume keeps those that
are. --cluster ray or dask scores them on many processes, of this machine or of a cluster.

A file named by --output appears when all of it is written. A run that ends early, even by a kill
or a full disk, keeps its finished lines in FILE.RANDOM.partial; the same command with --resume
goes on after them, and begins at the beginning where there are none.

A program that sends a pair and waits for its score runs it with --at-a-time 1.

examples:
  edge-rerank score --input pairs.jsonl --output scored.jsonl
  edge-rerank score pairs.csv.gz --output scored.jsonl --on-error skip --resume
  generate-pairs | edge-rerank score > scored.jsonl
  edge-rerank score pairs/ --output scored/ --cluster ray --resume
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
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="or a folder of them (default: standard input)"
    )
    parser.add_argument("--input", metavar="FILE", help="the same, as an option")
    parser.add_argument(
        "--output", default="-", metavar="FILE", help="or a folder (default: standard output)"
    )
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
        "--resume",
        action="store_true",
        help="go on after the lines, or the parts, that an earlier run finished",
    )
    parser.add_argument(
        "--at-a-time",
        type=whole_number,
        default=AT_A_TIME,
        metavar="N",
        help="pairs read before their scores are written (default: %(default)s)",
    )
    _add_cluster_options(parser)
    add_long_document_options(parser)
    add_model_option(parser)
    add_loading_options(parser, more_engines=CLUSTERS)
    parser.set_defaults(run=run, texts=("query_field", "text_field", "score_field"))


def _add_cluster_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster",
        choices=CLUSTERS,
        help="score a folder's parts on its workers (--engine ray and dask mean the same)",
    )
    parser.add_argument(
        "--cluster-address",
        metavar="ADDRESS",
        help="of a cluster that is there (default: RAY_ADDRESS or DASK_SCHEDULER_ADDRESS, or "
        "workers on this machine, which end with the run)",
    )
    parser.add_argument(
        "--workers",
        type=whole_number,
        metavar="N",
        help="on this machine (default: one for each core)",
    )


def run(options: argparse.Namespace) -> int:
    """Score line by line, or part by part."""
    name = _input_name(options)
    cluster = _cluster(options)
    job = _job(options, cluster)
    if name != "-" and os.path.isdir(name):
        _score_folder(options, job, name, cluster)
    elif cluster is not None:
        raise InputError(f"{name}: is no folder, and --cluster {cluster} spreads a folder's files")
    elif form_of(options.output) == PARQUET:
        _score_parquet(options, job, name)
    else:
        _score_stream(options, job, name)
    return EXIT_OK


def _score_folder(options: argparse.Namespace, job: Job, name: str, cluster: str | None) -> None:
    from edge_rerank.cli.parts.run import Cluster, score_folder  # other runs start sooner without

    spread, output = None, options.output
    if cluster is not None:  # whose workers have working folders of their own
        spread = Cluster(cluster, options.cluster_address, options.workers)
        name, output = os.path.abspath(name), output if output == "-" else os.path.abspath(output)
    score_folder(job, name, output, options.format, resume=options.resume, cluster=spread)


def _score_parquet(options: argparse.Namespace, job: Job, name: str) -> None:
    from edge_rerank.cli.parts.plan import Part
    from edge_rerank.cli.parts.run import score_parts

    form = form_of(name) if options.format == AUTO else options.format
    if form != PARQUET:
        raise InputError(
            f"{options.output}: Parquet is written of Parquet alone, and {name} is none; name the "
            "output .jsonl"
        )
    if os.path.exists(options.output) and os.path.samefile(name, options.output):
        raise InputError(f"{name}: is the output as well; name another file")
    part = Part(name, PARQUET, os.path.realpath(options.output))
    score_parts(job, [part], options.output, None)


def _score_stream(options: argparse.Namespace, job: Job, name: str) -> None:
    from edge_rerank.cli.output import open_output, same_file
    from edge_rerank.cli.parts.lines import write_lines

    with ExitStack() as stack:
        entries = stack.enter_context(open_entries(name, options.format))
        if same_file(options.output, entries.source.identity()):
            raise InputError(f"{entries.source.name}: is the output as well; name another file")
        output = open_output(options.output, resume=options.resume)
        first = output.lines

        def opened() -> Reranker:
            return stack.enter_context(job.loading.open())

        bar = stack.enter_context(closing(ProgressLine("pairs", share=entries.source.share)))
        counts = write_lines(
            job, entries, output, opened, lambda count: bar.show(output.lines - first)
        )
        counts.check(options.on_error, scored=output.lines)


def _cluster(options: argparse.Namespace) -> str | None:
    """Return what is to spread the work; None where it is done here."""
    named: str | None = options.cluster
    if options.engine in CLUSTERS:
        if named not in (None, options.engine):
            raise InputError(f"--engine {options.engine} and --cluster {named} name two; use one")
        named = options.engine
    if named is None:
        for option, value in (
            ("--cluster-address", options.cluster_address),
            ("--workers", options.workers),
        ):
            if value is not None:
                raise InputError(f"{option} says something of a cluster; add --cluster ray or dask")
    elif options.threads == "auto":
        raise InputError("--threads auto: workers of a cluster have a number; expected one")
    return named


def _job(options: argparse.Namespace, cluster: str | None) -> Job:
    windows = options.long_documents == "windows"
    model, threads = model_of(options), options.threads
    if cluster is not None:  # whose workers have working folders of their own, and a core each
        model = None if model is None else os.path.abspath(model)
        threads = 1 if threads is None else threads
    return Job(
        loading=Loading(
            model=model,
            threads=threads,
            max_length=options.max_length,
            engine="auto" if options.engine in CLUSTERS else options.engine,
            kernel=options.kernel,
            verify=not options.skip_verify,
            self_check=not options.skip_self_check,
        ),
        members=Members.named(options.score_field, windows=windows),
        query_field=options.query_field,
        text_field=options.text_field,
        logits=options.logits,
        on_error=options.on_error,
        at_a_time=options.at_a_time,
        resume=options.resume,
        **long_document_arguments(options),
    )


def _input_name(options: argparse.Namespace) -> str:
    if options.file is not None and options.input is not None:
        raise InputError("the input is named both by an argument and by --input; use one of them")
    name = options.file if options.input is None else options.input
    if name == "":
        raise InputError("the input's name is empty; is the shell variable set?")
    return "-" if name is None else str(name)
