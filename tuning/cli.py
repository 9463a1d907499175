"""``edge-rerank tune``: arguments, and what is printed. Imports nothing heavy by itself."""

from __future__ import annotations

import argparse
import math
from contextlib import closing
from typing import Any

from edge_rerank.cli.common import add_threads_option, to_json
from edge_rerank.cli.failures import EXIT_FAILED, EXIT_OK
from edge_rerank.cli.parser import seed, whole_number
from edge_rerank.cli.progress import ProgressLine
from edge_rerank.cli.streams import say
from edge_rerank.installation import check_libraries

from .options import (
    DISTILLATION,
    DISTILLED_PAIRS,
    DISTILLED_PASSAGES,
    DISTILLED_RATE,
    JUDGED_PASSAGES,
    JUDGED_RATE,
    MOST_EPOCHS,
    USUAL_PAIRS,
    TuneOptions,
)

_LIBRARIES = ("torch", "transformers", "safetensors", "optimum", "onnx")
_LOSSES = ("auto", "lambda", "softmax", "binary", DISTILLATION)  # losses.py needs torch
_PRECISIONS = ("auto", "float32", "bfloat16")
_DEFAULT = TuneOptions("", "", "", "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="folder, or OWNER/NAME on the hub; or the folder of an int8 segment model, or mini: "
        "the built-in one",
    )
    for name, what in (("train", "train on"), ("validate", "stop early by, and compare on")):
        parser.add_argument(
            f"--{name}", required=True, metavar="FILE", help=f"judged queries to {what}"
        )
    parser.add_argument("--output", required=True, metavar="DIR", help="new folder to write")
    parser.add_argument(
        "--collection",
        metavar="DIR",
        help="folder with corpus.jsonl (the BEIR layout), which is searched with BM25: models rank "
        "what it finds, in training and in validation",
    )
    _whole(parser, "depth", "with it, BM25's best N are a query's list")
    _add_training_options(parser)
    _add_model_options(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run that --output holds"
    )
    parser.add_argument(
        "--allow-not-better",
        action="store_true",
        help="keep the artifact as model, and end with 0, though it is not shown to be better",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--list-size",
        type=whole_number,
        metavar="N",
        help=f"most passages of a query in a step (default: {JUDGED_PASSAGES}; with distillation "
        f"{DISTILLED_PASSAGES})",
    )
    parser.add_argument(
        "--loss",
        choices=_LOSSES,
        default="auto",
        help=f"default: auto, with a --collection {DISTILLATION} of the model, the built-in one "
        "and BM25 together; or else by the judgements: lambda for grades, softmax for positives "
        "and negatives, binary for 0 and 1",
    )
    parser.add_argument(
        "--epochs",
        type=whole_number,
        metavar="N",
        help="how often each training query is taken, at most (default: as often as makes about "
        f"{USUAL_PAIRS:,} pairs, with distillation {DISTILLED_PAIRS:,}, 1 to {MOST_EPOCHS} times)",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        metavar="X",
        help=f"highest learning rate (default: {JUDGED_RATE:g}; with distillation "
        f"{DISTILLED_RATE:g})",
    )
    _whole(parser, "patience", "end after N evaluations without a better one")
    parser.add_argument(
        "--seed",
        type=seed,
        default=_DEFAULT.seed,
        metavar="N",
        help=f"of lists and dropout (default: {_DEFAULT.seed})",
    )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="where to train, as torch calls it: cpu, cuda, cuda:1, mps (default: cpu); the models "
        "are exported and compared on the processor",
    )
    parser.add_argument(
        "--precision",
        choices=_PRECISIONS,
        default="auto",
        help="of products in training (default: auto, the faster one here)",
    )
    add_threads_option(parser)
    _whole(parser, "save-seconds", "save the state every N seconds")


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-length", type=whole_number, metavar="N", help="as for export")
    for name, value in (
        ("revision", "COMMIT"),
        ("relevant-label", "LABEL"),
        ("prompt", "NAME"),
        ("activation", "NAME"),
    ):
        parser.add_argument(f"--{name}", metavar=value, help="as for export")


def _whole(parser: argparse.ArgumentParser, name: str, what: str) -> None:
    default = int(getattr(_DEFAULT, name.replace("-", "_")))
    parser.add_argument(
        f"--{name}",
        type=whole_number,
        default=default,
        metavar="N",
        help=f"{what} (default: {default})",
    )


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return value


def run(args: argparse.Namespace) -> int:
    """Tune as the arguments say; raises TuningError and its kin."""
    check_libraries(_LIBRARIES, "tune", "edge-rerank tune")
    from .progress import Told
    from .run import tune

    names = TuneOptions.__dataclass_fields__
    options = TuneOptions(**{name: getattr(args, name) for name in names})
    with closing(_Bars()) as bars:
        report = tune(options, Told(bars.say, bars.show), lambda found: _shown(found, args.json))
    if args.json:
        print(to_json(report))
    else:
        print(_summary(options.output, report))
    good = report["verdict"] == "better" or report["model"] == "model"
    return EXIT_OK if good else EXIT_FAILED


class _Bars:
    """One line of progress after another, and lines of text between them."""

    def __init__(self) -> None:
        self._bar: ProgressLine | None = None
        self._what = ""

    def show(self, what: str, count: int, total: int) -> None:
        if self._bar is None or self._what != what:
            self.close()
            self._bar, self._what = ProgressLine(what, total=total), what
        self._bar.show(count)

    def say(self, line: str) -> None:
        self.close()
        say(f"edge-rerank: {line}")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _shown(found: Any, as_json: bool) -> None:
    from edge_rerank.cli.compare_report import print_comparison

    if not as_json:
        print_comparison(found)


def _summary(output: str, report: dict[str, Any]) -> str:
    lines = [report["sentence"]]
    if report["model"] is not None:
        lines.append(f"{output}/{report['model']}: the artifact; {output}/checkpoint: its source")
    lines.append(f"{output}/report.json: all figures")
    return "\n".join(lines)
