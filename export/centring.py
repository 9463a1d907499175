"""What all tokens have in common, taken out of what products read.

A feature may be large in every token and differ little between them: after training that is the
rule, and above all for the first token, which the head reads. Levels from a row's least to its
largest value are then spent on what says nothing. Less its mean over the calibration's tokens, the
same row takes a fraction of the range, and smoothing has less to move into the weights.

The mean is taken out where the input comes from and put back behind the product, as a bias: exact
arithmetic gives the same, and the engines have nothing more to compute. That needs a bias in front
of the product: a norm's, or that of the value projection, whose mean over tokens the attention's
context is. ``ffn.down`` reads what an activation function gives, and stays as it is; so do layers
across a pair's texts, whose keys and queries come from different places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_rerank.artifact.architecture import Architecture

from .parameters import Tensors
from .statistics import Statistics, input_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ATTENTION = ("attention.key", "attention.value", "attention.query")


def centre(tensors: Tensors, architecture: Architecture, statistics: Statistics) -> Tensors:
    """Return the parameters with centred inputs; computes the same. ``statistics`` move along."""
    centred = dict(tensors)
    for layer in range(architecture.encoding_layers):
        name = f"layers.{layer}"
        for norm, parts, after in (
            (_norm_before(centred, architecture, layer), _ATTENTION, "attention.output"),
            (f"{name}.{_norm_within(architecture)}", ("ffn.up",), "ffn.down"),
            (f"{name}.attention.value", ("attention.output",), None),
        ):
            products = [f"{name}.{part}" for part in parts]
            mean = _mean(statistics, input_name(products[0], architecture))
            _add(centred, norm, -mean)
            for product in products:
                _add(centred, product, mean @ centred[f"{product}.weight"].astype(np.float64))
            if after and _adds_to_residual(architecture, norm):
                _add(centred, f"{name}.{after}", mean)
            for read in {input_name(product, architecture) for product in products}:
                statistics[read].subtract(mean)
    return centred


def _norm_before(tensors: Tensors, architecture: Architecture, layer: int) -> str:
    """Name the norm whose output query, key and value read."""
    own = f"layers.{layer}.attention.norm"
    if architecture.norm == "before" and f"{own}.weight" in tensors:
        return own
    return f"layers.{layer - 1}.ffn.norm" if layer else "embeddings.norm"


def _norm_within(architecture: Architecture) -> str:
    return "ffn.norm" if architecture.norm == "before" else "attention.norm"


def _adds_to_residual(architecture: Architecture, norm: str) -> bool:
    """Return whether what the norm gives is also what the layer's result is added to."""
    return architecture.norm == "after" or norm == "embeddings.norm"


def _mean(statistics: Statistics, name: str) -> NDArray[np.float64]:
    seen = statistics[name]
    return seen.total.double().numpy() / max(1, seen.count)


def _add(tensors: Tensors, name: str, values: NDArray[np.float64]) -> None:
    tensors[f"{name}.bias"] = (tensors[f"{name}.bias"] + values).astype(np.float32)
