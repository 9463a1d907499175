"""The tuned checkpoint on its way to its place, and the room that a run takes on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from torch import Tensor

from .errors import TuningError
from .folders import whole_folder
from .place import Place
from .saving import write_checkpoint

if TYPE_CHECKING:
    from edge_rerank_export.checkpoint import Checkpoint

_BYTES = 4  # of a weight in float32
_COPIES = 4  # of a trained weight in the state: it, two moments, the best; twice when replaced
_OTHERS = 3  # of all weights: the tuned checkpoint, the exporter's fp32 graph, two artifacts


def keep_checkpoint(checkpoint: Checkpoint, tuned: Mapping[str, Tensor], place: Place) -> None:
    """Put the tuned checkpoint in its place, whole or not at all, unless it is there."""
    if place.checkpoint.exists():
        return
    try:
        whole_folder(
            place.checkpoint, lambda folder: write_checkpoint(checkpoint, tuned, folder), place.work
        )
    except SafetensorError as error:  # which is how it tells of a full disk
        raise TuningError(f"{place.checkpoint}: cannot be written: {error}") from error


def room(checkpoint: Checkpoint) -> int:
    """Estimate the bytes that a run writes at most, beside what lies there already."""
    shape = checkpoint.architecture
    words: int = shape.vocab_size * shape.embedding_size
    size: int = sum(path.stat().st_size for path in checkpoint.weight_files)
    trained: int = max(0, size - words * _BYTES)
    return 2 * _COPIES * trained + _OTHERS * size
