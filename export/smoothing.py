"""Activation ranges moved into weights: SmoothQuant (Xiao et al., 2022, arXiv:2211.10438).

A feature whose activations are far larger than the others' sets the scale of the whole token and
costs all others their precision. Dividing the feature by a constant and multiplying its row of
weights by the same changes nothing in exact arithmetic, and int8 weights, whose scale belongs to a
column, bear it better. The constant is ``peak^alpha / weight^(1 - alpha)`` (equation 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_rerank.artifact.architecture import Architecture

from .mixing import mix_gram, mix_rows, points_of, signs_and_length
from .parameters import Tensors, mix_name, smooth_name
from .statistics import InputStatistics, Statistics, input_name

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

_LEAST = 1e-5
"""Least magnitude of a feature, as a share of the largest: what is silent in the calibration may
still speak later."""

_READERS = (
    ("attention.key", "attention.value", "attention.query"),
    ("attention.output",),
    ("ffn.up",),
    ("ffn.down",),
)
"""Products of a layer that read the same input, the one whose statistics count first."""


def smooth(
    tensors: Tensors, architecture: Architecture, statistics: Statistics, alpha: float
) -> Tensors:
    """Return the parameters with smoothed and mixed products; computes the same.

    ``statistics`` move along. Inputs are mixed where their size allows, but for those of
    ``attention.output``; ``ffn.down`` then needs no smoothing (``mixing.py``).
    Weights are divided. What they are divided by goes where the input comes from, if nothing else
    reads it: into the value projection for ``attention.output``, whose input is a mean of values,
    feature by feature; into the norms of layers that normalise before; into the half of ``ffn.up``
    that multiplies the other. Elsewhere the engines multiply by the ``smooth`` tensors that are
    added.
    """
    smoothed = dict(tensors)
    for layer in range(architecture.layers):
        for parts in _READERS:
            names = [f"layers.{layer}.{part}" for part in parts]
            inputs = [statistics[name] for name in {input_name(n, architecture) for n in names}]
            peak = statistics[input_name(names[0], architecture)].peak.numpy()
            weights = np.abs(np.concatenate([smoothed[f"{name}.weight"] for name in names], 1))
            points = points_of(len(peak)) if mix_name(names[0]) else 1
            vector = np.ones(len(peak), np.float32)
            if points == 1 or parts != ("ffn.down",):
                vector = smoothing_vector(peak, weights.max(1), alpha)
            if points > 1:
                vector = vector * signs_and_length(len(peak), points, layer)
            for name in names:
                smoothed[f"{name}.weight"] = smoothed[f"{name}.weight"] / vector[:, None]
            _multiply(smoothed, architecture, names[0], vector)
            for seen in inputs:
                seen.multiply(vector)
            if points > 1:
                _mix(smoothed, names, points, inputs)
    return smoothed


def _mix(tensors: Tensors, products: list[str], points: int, inputs: list[InputStatistics]) -> None:
    for product in products:
        tensors[f"{product}.weight"] = mix_rows(tensors[f"{product}.weight"], points)
    mixes = mix_name(products[0])
    assert mixes is not None
    tensors[mixes] = np.array([points], np.int32)
    for seen in inputs:
        seen.gram = mix_gram(seen.gram, points)


def smoothing_vector(peak: NDArray[Any], weight: NDArray[Any], alpha: float) -> NDArray[np.float32]:
    """Return what to multiply each input feature by, ``[inputs]``; the geometric mean is 1.

    ``peak`` is the features' largest magnitude, ``weight`` that of their rows of weights.
    """
    exact = -alpha * _log(peak) + (1 - alpha) * _log(weight)
    return np.asarray(np.exp(exact - exact.mean()), np.float32)


def _log(values: NDArray[Any]) -> NDArray[np.float64]:
    exact = values.astype(np.float64)
    most = exact.max()
    return np.log(np.maximum(exact, most * _LEAST)) if most > 0 else np.zeros(len(exact))


def _multiply(
    tensors: Tensors, architecture: Architecture, product: str, vector: NDArray[np.float32]
) -> None:
    """Multiply what a product reads, where it comes from; or leave it to the engine."""
    _, layer, part = product.split(".", 2)
    name = f"layers.{layer}."
    before = architecture.norm == "before"
    if part == "attention.output":
        _scale_outputs(tensors, f"{name}attention.value", vector)
    elif part == "ffn.down" and architecture.feed_forward.kind == "gated":
        ones = np.ones_like(vector)
        _scale_outputs(tensors, f"{name}ffn.up", np.concatenate([ones, vector]))
    elif part == "ffn.up" and before:
        _scale_outputs(tensors, f"{name}ffn.norm", vector)
    elif part.startswith("attention") and f"{name}attention.norm.weight" in tensors and before:
        _scale_outputs(tensors, f"{name}attention.norm", vector)
    else:
        multiplier = smooth_name(product)
        assert multiplier is not None
        tensors[multiplier] = vector


def _scale_outputs(tensors: Tensors, name: str, vector: NDArray[np.float32]) -> None:
    for part in ("weight", "bias"):
        tensors[f"{name}.{part}"] = tensors[f"{name}.{part}"] * vector
