"""A segment model back from its int8 artifact, in float32: the checkpoint does not ship.

The exporter's steps (``edge_rerank_export``) undone one by one: weights times their scales, mixed
inputs back in their order, smoothed ones at their size, each under the name that torch has for it.
What int8 rounded away stays away, and what the exporter moved from one product into the next stays
moved, which computes the same.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import BertConfig, BertModel

from edge_rerank.artifact import load_artifact
from edge_rerank.artifact.folder import MANIFEST_NAME
from edge_rerank_export.families import Layout, read_layout
from edge_rerank_export.mixing import mixed, unmix_rows
from edge_rerank_export.parameters import head_products, linear_names, smooth_name

from .errors import TrainingError
from .segments import MODEL_TYPE, SegmentReranker

Stored = Mapping[str, np.ndarray]


def is_artifact(folder: Path) -> bool:
    """Whether a folder is an artifact rather than a checkpoint."""
    return (folder / MANIFEST_NAME).is_file()


def reranker_of_artifact(folder: Path) -> SegmentReranker:
    """The model, whose scores are the artifact's but for the rounding of activations.

    Raises TrainingError where it is of another family or precision, or has two layers across the
    pair; ArtifactError where it is damaged.
    """
    manifest = load_artifact(folder).manifest
    architecture = manifest.architecture
    stored = load_file(folder / "model.safetensors")
    if architecture.segments is None or manifest.precision != "int8":
        raise TrainingError(
            f"{folder}: is an {manifest.precision} artifact of the family "
            f"{architecture.family!r}; only those of {MODEL_TYPE!r} in int8 can be gone on with"
        )
    if architecture.segments.crossing != 1 or stored["embeddings.word.weight"].dtype != np.int8:
        raise TrainingError(
            f"{folder}: only a model with one layer across the pair, and its table of words in "
            "8 bits, can be gone on with"
        )
    config = json.loads((folder / "config.json").read_text("utf-8"))
    layout = read_layout(config, str(folder / "config.json"))
    config.pop("model_type")
    model = SegmentReranker(BertModel(BertConfig.from_dict(config), add_pooling_layer=False))
    weights = {
        layout.in_checkpoint(name): torch.from_numpy(np.ascontiguousarray(value))
        for name, value in _weights(stored, layout).items()
    }
    # The exporter added the classifier's bias to this one.
    weights["bias"] = weights.pop("correction.classifier.bias").reshape(())
    weights["correction.classifier.bias"] = torch.zeros(1)
    model.load_state_dict(weights)
    return model.eval()


def _weights(stored: Stored, layout: Layout) -> dict[str, np.ndarray]:
    """Everything under the names of the layout, products as ``[outputs, inputs]``."""
    architecture, names = layout.architecture, layout.names
    types = stored["embeddings.type.weight"]
    found: dict[str, np.ndarray] = {
        f"{names.words}.weight": _scaled(stored, "embeddings.word"),
        f"{names.positions}.weight": stored["embeddings.position.weight"],
        # Of types that are alike the checkpoint's first row was stored for each.
        f"{names.types}.weight": np.repeat(types[:1], layout.types_alike, 0),
        "scale": stored["cosine.scale"].reshape(()),
    }
    norms = {"embeddings.norm": names.norm}
    for layer in range(architecture.layers):
        norms |= {
            f"layers.{layer}.{part}": names.in_layer(layer, name)
            for part, name in names.norms.items()
        }
    for product in linear_names(architecture.layers):
        name = names.linear(product)
        found[f"{name}.weight"] = _product(stored, product).T
        found[f"{name}.bias"] = stored[f"{product}.bias"]
    # These are stored [outputs, inputs], as torch has them.
    for product, name in zip(head_products(architecture), names.head, strict=True):
        found[f"{name}.weight"] = _scaled(stored, product)
        found[f"{name}.bias"] = stored[f"{product}.bias"]
    for ours, theirs in (norms | {"classifier": names.classifier}).items():
        found |= {f"{theirs}.{part}": stored[f"{ours}.{part}"] for part in ("weight", "bias")}
    return found


def _scaled(stored: Stored, name: str) -> np.ndarray:
    """Int8 weights times their scales, in float32."""
    weights: np.ndarray = stored[f"{name}.weight"].astype(np.float32) * stored[f"{name}.scale"]
    return weights


def _product(stored: Stored, product: str) -> np.ndarray:
    """``[inputs, outputs]``, for inputs that are neither mixed nor smoothed."""
    weights = _scaled(stored, product)
    if (points := mixed(stored, product)) > 1:
        weights = unmix_rows(weights, points)
    vector = smooth_name(product)
    return weights * stored[vector][:, None] if vector in stored else weights
