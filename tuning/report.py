"""What the report says of a run beside its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_rerank._version import __version__
from edge_rerank.errors import InputError

from .data import Data
from .examples import Judged
from .options import TuneOptions
from .progress import Progress
from .state import differing

if TYPE_CHECKING:
    from edge_rerank_export.checkpoint import Checkpoint


def facts_of(checkpoint: Checkpoint, data: Data, options: TuneOptions) -> dict[str, Any]:
    """Return what the run was given."""
    return {
        "edge_rerank": __version__,
        "checkpoint": {
            "name": checkpoint.name,
            "revision": checkpoint.revision,
            "sha256": checkpoint.sha256(),
        },
        "train": _about(data.train),
        "validate": _about(data.validate),
        "options": options.deciding(),
    }


def training_facts(progress: Progress) -> dict[str, Any]:
    """Return how the training went."""
    return {
        "steps": progress.step,
        "pairs": progress.pairs,
        "seconds": progress.seconds,
        "best_step": progress.best.step,
        "evaluations": progress.to_json()["evaluations"],
    }


def _about(judged: Judged) -> dict[str, Any]:
    return {
        "file": judged.name,
        "kind": judged.kind,
        "sha256": judged.sha256(),
        "queries": len(judged.queries),
        "passages": sum(len(query.passages) for query in judged.queries),
    }


def check_finished(report: dict[str, Any], options: TuneOptions, data: Data) -> None:
    """Raise InputError where a finished run is not the one that is asked for."""
    then = {f"--{name}": report[name]["sha256"] for name in ("train", "validate")}
    now = {"--train": data.train.sha256(), "--validate": data.validate.sha256()}
    other = differing({**then, **report["options"]}, {**now, **options.deciding()})
    if other is not None:
        raise InputError(
            f"{options.output}: holds a finished run with {other}; name a new --output"
        )
