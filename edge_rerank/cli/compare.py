"""``edge-rerank compare``: which model ranks a collection best, how fast, in what memory?"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from edge_rerank.artifact.builtin import BUILT_IN
from edge_rerank.cli.common import add_kernel_option, add_threads_option, path_text, to_json
from edge_rerank.cli.failures import EXIT_CODES, EXIT_FAILED, EXIT_OK
from edge_rerank.cli.long_documents import add_long_document_options, ways_of_reading
from edge_rerank.cli.parser import seed, whole_number
from edge_rerank.cli.progress import ProgressLine
from edge_rerank.cli.streams import say
from edge_rerank.engines.choose import ENGINES
from edge_rerank.errors import InputError

_EPILOG = f"""\
A first stage finds documents for each query of the collection, every model ranks them, and the
rankings are measured against the judgements. Each model runs in a process of its own, one after
the other. Where one fails, its row says why, and the others are measured all the same.

A collection has corpus.jsonl, queries.jsonl and qrels.tsv, or qrels/test.tsv (the BEIR layout). A
first stage is bm25, for English words, or a file that another search engine's results were
written to in TREC's format: query, Q0, document, rank, score, tag.

The intervals are 95 % intervals of the means, by drawing the queries anew 10,000 times; those of
differences are paired.

examples:
  edge-rerank compare --collection ./scifact
  edge-rerank compare --collection ./scifact --model mini --model ./my-model --plot choice.svg
  edge-rerank compare --collection ./scifact --model int8=./my-model --model fp32=./my-model-fp32
  edge-rerank compare --collection ./scifact --first-stage bm25 --first-stage run.trec --json
  edge-rerank compare --collection ./reports --long-documents truncate --long-documents windows

{EXIT_CODES.replace("done", "every model was measured").replace("failed:", "a model failed, or")}
"""
_NAMED = re.compile(r"([^=/\\]+)=(.+)", re.DOTALL)


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "compare",
        help="compare models on a judged collection: quality, time, memory",
        description="Compare models on a judged collection: how well they rank, how fast, and in "
        "how much memory.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--collection", required=True, metavar="DIR", help="corpus.jsonl, queries.jsonl, qrels.tsv"
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="[NAME=]DIR",
        help="model folder, and what to call it; mini is the built-in model; may be repeated "
        "(default: the built-in model)",
    )
    parser.add_argument(
        "--first-stage",
        action="append",
        metavar="bm25|FILE",
        help="what finds the documents: bm25 or a TREC run; may be repeated (default: bm25)",
    )
    _add_amount_options(parser)
    _add_running_options(parser)
    _add_output_options(parser)
    parser.set_defaults(run=run, prints=True)


def _add_amount_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--depth",
        type=whole_number,
        default=100,
        metavar="N",
        help="documents of a query that are reranked, at most (default: 100)",
    )
    parser.add_argument(
        "--queries",
        type=whole_number,
        metavar="N",
        help="draw N of the judged queries (default: all)",
    )
    parser.add_argument(
        "--seed",
        type=seed,
        default=0,
        metavar="N",
        help="what they are drawn with (default: 0)",
    )


def _add_running_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        action="append",
        choices=ENGINES,
        help="default: auto; if repeated, every model runs with each",
    )
    add_kernel_option(parser)
    add_threads_option(parser)
    parser.add_argument(
        "--max-length",
        type=whole_number,
        metavar="N",
        help="most tokens of a pair (default: each model's)",
    )
    add_long_document_options(parser, several=True)


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--plot", metavar="FILE", help="draw quality over time, as SVG")
    parser.add_argument(
        "--output-runs", metavar="DIR", help="write every system's ranking there as a TREC run"
    )


def run(options: argparse.Namespace) -> int:
    """Compare, and say what was found."""
    # Here, not at the top: the other commands need none of it, and start sooner without.
    from edge_rerank.cli.compare_report import print_comparison
    from edge_rerank.evaluation import compare, read_collection

    models = _models(options.model)
    stages = options.first_stage or ["bm25"]
    engines = list(dict.fromkeys(options.engine or ["auto"]))
    reading = ways_of_reading(options)
    ways = len(engines) * len(dict.fromkeys(reading["long_documents"]))
    with ExitStack() as stack:
        drawing = _open_plot(options.plot, stack)
        collection = read_collection(options.collection)
        queries = min(len(collection.queries), options.queries or len(collection.queries))
        total = queries * options.depth * len(models) * ways * len(stages)
        bar = stack.enter_context(closing(ProgressLine("pairs", total=total)))

        def tell(line: str) -> None:
            bar.close()
            say(f"edge-rerank: {line}")

        found = compare(
            collection,
            models,
            first_stages=stages,
            depth=options.depth,
            queries=options.queries,
            seed=options.seed,
            engines=engines,
            kernel=options.kernel,
            threads=options.threads,
            max_length=options.max_length,
            **reading,
            output_runs=options.output_runs,
            report=tell,
            progress=bar.show,
        )
        bar.close()
        if options.json:
            print(to_json(_with_paths(found.to_json())))
        else:
            print_comparison(found)
        sys.stdout.flush()  # what took hours is there, whatever becomes of the picture
        if drawing is not None:
            from edge_rerank.evaluation.plot import plot

            drawing.write(plot(found).encode("utf-8"))
    return EXIT_FAILED if found.failed else EXIT_OK


def _open_plot(name: str | None, stack: ExitStack) -> Any:
    """Open the picture's file before the work, which may take hours."""
    from edge_rerank.files import whole_file

    if name is None:
        return None
    if not name or Path(name).is_dir():
        raise InputError(f"--plot: {name or 'an empty name'} is no file that could be written")
    try:
        return stack.enter_context(whole_file(name))
    except OSError as error:
        raise InputError(f"{name}: cannot be written: {error.strerror or error}") from error


def _models(given: list[str] | None) -> Mapping[str, str | None] | list[str | None]:
    """Return names and folders; where no model is named otherwise, the folders name them."""
    named = [_named(value) for value in given or [BUILT_IN]]
    if not any(name for name, _ in named):
        return [folder for _, folder in named]
    from edge_rerank.evaluation.choices import names_of

    own = names_of([folder for _, folder in named])
    found = {name or other: folder for (name, folder), other in zip(named, own, strict=True)}
    if len(found) < len(named):
        raise InputError("two models have the same name; name them with --model NAME=DIR")
    return found


def _named(value: str) -> tuple[str | None, str | None]:
    match = None if Path(value).is_dir() else _NAMED.fullmatch(value)
    name, folder = (match[1], match[2]) if match else (None, value)
    if not folder:
        raise InputError("the model's name is empty; is the shell variable set?")
    if folder != BUILT_IN:
        return name, folder
    if Path(folder).is_dir():
        raise InputError(
            f"{folder} is the built-in model, and a folder here; name the folder ./{folder}, and "
            "the built-in model by its own folder, which edge-rerank info prints"
        )
    return name, None


def _with_paths(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts with paths as text whatever the locale makes of them."""
    models = [{**model, "path": path_text(model["path"])} for model in facts["models"]]
    stages = [
        {**stage, "run": stage["run"] and path_text(stage["run"])}
        for stage in facts["first_stages"]
    ]
    return {**facts, "models": models, "first_stages": stages}
