"""The int8 recipe from statistics to files: smooth, round, build the graph, write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from edge_rerank.artifact.architecture import Architecture

from .calibration import Calibration
from .centring import centre
from .graph import build_model
from .parameters import Tensors
from .quantize import quantize_parameters
from .smoothing import smooth
from .statistics import Statistics
from .weights_file import WEIGHTS_NAME, refer_to_weights, write_weights

ALPHA = 0.6
"""How much of an activation's range goes into the weights; docs/lab/accuracy.md compares values."""


def quantize(tensors: Tensors, architecture: Architecture, statistics: Statistics) -> Tensors:
    """Return float32 parameters as int8, smoothed.

    ``statistics`` are those of the parameters as they are, and used up.
    """
    centred = centre(tensors, architecture, statistics)
    smoothed = smooth(centred, architecture, statistics, ALPHA)
    return quantize_parameters(smoothed, architecture, statistics)


def write_graph(
    folder: Path, tensors: Tensors, architecture: Architecture, max_length: int
) -> None:
    """Write ``model.onnx`` and its weights, quantised or not, into ``folder``."""
    model = build_model(tensors, architecture, max_length)
    refer_to_weights(model, write_weights(folder / WEIGHTS_NAME, tensors))
    onnx.save(model, str(folder / "model.onnx"))


_TABLES = {
    8: "int8, symmetric, one scale for each row",
    4: "4 bits, 16 levels fitted to the table, groups of 32 with an int8 scale each, times a scale "
    "for each row; int8 for the first sixteenth of the words",
}


def describe(calibration: Calibration, embedding_bits: int) -> dict[str, Any]:
    """Return the recipe for the manifest."""
    return {
        "weights": "int8, symmetric, -127 to 127, one scale for each output channel; GPTQ",
        "embedding": _TABLES[embedding_bits],
        "relative_tables": "int8, symmetric, one scale for each row and head",
        "activations": "uint8, dynamic, a scale and a zero point for each token, from its least "
        "to its largest value; centred, SmoothQuant; all but those of attention.output mixed by a "
        "Walsh-Hadamard transform",
        "float32": "biases, norms, attention, head",
        "smoothing_alpha": ALPHA,
        "calibration": {
            "source": calibration.source,
            "pairs": len(calibration.pairs),
            "sha256": calibration.sha256,
        },
    }
