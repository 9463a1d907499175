"""``edge-rerank export``: arguments, and what is printed. Imports nothing heavy by itself."""

from __future__ import annotations

import argparse
import sys

from edge_rerank.artifact.manifest import EMBEDDING_BITS, PRECISIONS
from edge_rerank.results import ACTIVATIONS

from .pipeline import (
    FP32_LIMIT,
    INT8_LIMIT,
    ExportOptions,
    ExportReport,
    export_model,
)
from .source import PINNED_REVISIONS
from .two_logits import OPTION


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("checkpoint", metavar="MODEL", help="folder, or OWNER/NAME on the hub")
    parser.add_argument("--output", required=True, metavar="DIR", help="new folder to write")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="int8",
        help="int8 (default), or fp32 to keep Optimum's fp32 graph as an artifact of its own",
    )
    parser.add_argument(
        "--revision",
        help="commit, tag or branch of a model on the hub (default: the pinned commit of "
        f"{', '.join(PINNED_REVISIONS)}; the present head of any other)",
    )
    parser.add_argument("--name", help="name in the manifest (default: the model's)")
    parser.add_argument("--license", help="licence of the weights (default: the model card's)")
    parser.add_argument(
        "--activation",
        choices=tuple(ACTIVATIONS),
        help="what makes a logit the score (default: the checkpoint's own, or else sigmoid)",
    )
    parser.add_argument(
        OPTION,
        metavar="LABEL",
        help="for a head of two logits: which of them means relevant, by name or number; the logit "
        "is then its difference from the other",
    )
    parser.add_argument(
        "--prompt",
        metavar="NAME",
        help="which of the checkpoint's prompts is put before each query, or none (default: its "
        "default_prompt_name)",
    )
    parser.add_argument(
        "--max-length", type=int, metavar="N", help="most tokens a pair (default: the model's)"
    )
    parser.add_argument(
        "--embedding-bits",
        type=int,
        choices=EMBEDDING_BITS,
        default=8,
        help="of the table of words in an int8 model: 8 (default), or 4 for half its size; what "
        "that costs is measured, and recorded",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="calibrate int8 on these pairs: JSONL with query and document, some hundred lines "
        "like what the model will be given (default: pairs that ship with the exporter)",
    )
    parser.add_argument(
        "--max-error",
        type=float,
        default=INT8_LIMIT,
        metavar="SIGMA",
        help="limit of the int8 rms error, in standard deviations of the logits "
        f"(default: {INT8_LIMIT:g})",
    )
    parser.add_argument(
        "--allow-poor-parity",
        action="store_true",
        help="keep an artifact that is further from the checkpoint than the limits "
        f"(fp32 graph: {FP32_LIMIT:g} logits)",
    )


def run(args: argparse.Namespace) -> int:
    """Export as the arguments say; raises ExportError and its kin."""
    options = ExportOptions(
        precision=args.precision,
        revision=args.revision,
        name=args.name,
        license=args.license,
        activation=args.activation,
        relevant_label=args.relevant_label,
        prompt=args.prompt,
        max_length=args.max_length,
        embedding_bits=args.embedding_bits,
        calibration=args.calibration,
        max_error=args.max_error,
        allow_poor_parity=args.allow_poor_parity,
    )
    sys.stdout.write(summary(export_model(args.checkpoint, args.output, options)))
    return 0


def summary(report: ExportReport) -> str:
    """Say in a few lines what was made and how close it is to the checkpoint."""
    size = sum(record.size for record in report.manifest.files.values())
    lines = [
        f"{report.path}: {report.manifest.precision}, {size / 1e6:.1f} MB",
        f"fp32 graph against torch: largest difference {report.fp32.max_error:.1e} logits",
    ]
    if parity := report.int8:
        lines.append(
            f"int8 against fp32 on {parity.pairs} probe pairs: rms error "
            f"{parity.rms_error:.4f} logits ({parity.rms_in_sigma:.3f} sigma), "
            f"largest {parity.max_error:.4f}, Kendall's tau {parity.kendall_tau:.3f}"
        )
    if cost := report.four_bits:
        lines.append(
            f"4 bits for words against 8: {cost.rms_in_sigma:.3f} sigma rms, Kendall's tau "
            f"{cost.kendall_tau:.3f}"
        )
    return "\n".join(lines) + "\n"
