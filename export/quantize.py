"""Weights to int8: symmetric, full range, one scale for every output channel.

A scale for a whole tensor is ruled out by its accuracy: a few outlier weights then cost the rest
their precision. Products take one scale a column of ``[inputs, outputs]``, the embedding table
one a row, the relative-position tables one a row and head, which are the vectors that meet in
one dot product. Products are rounded by what goes into them where that is known, see
``rounding.py``. The head's, ``[outputs, inputs]``, have one a row and are stored as int8 to save
room alone: they are computed in float32. Biases, norms and the classifier stay float32: they are
few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_rerank.artifact.architecture import Architecture

from .parameters import Tensors, head_products, linear_names
from .rounding import LEVELS, round_by_gram
from .statistics import Statistics, input_name

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


WORDS = "embeddings.word"


def quantize_parameters(
    tensors: Tensors, architecture: Architecture, statistics: Statistics | None = None
) -> Tensors:
    """Return the parameters with products, embedding and tables as int8 beside their scales.

    For each quantised ``NAME.weight`` there is a float32 ``NAME.scale`` that gives back
    ``weight * scale``: ``[outputs]`` for a product, ``[rows, 1]`` for the embedding table and the
    head, ``[rows, heads]`` for a relative-position table. The arrays passed in are not changed.

    Products are rounded by ``statistics`` of their inputs; without, each weight to the nearest.
    """
    quantised = dict(tensors)
    for names in _by_input(architecture):
        weights = [tensors[f"{name}.weight"] for name in names]
        gram = statistics[input_name(names[0], architecture)].gram if statistics else None
        levels, scale = _by_column(np.concatenate(weights, axis=1), gram)
        ends = np.cumsum([weight.shape[1] for weight in weights])[:-1]
        columns = zip(np.split(levels, ends, axis=1), np.split(scale, ends), strict=True)
        for name, part in zip(names, columns, strict=True):
            _replace(quantised, name, *part)
    for name in ("embeddings.word", *head_products(architecture)):
        _replace(quantised, name, *_by_row(tensors[f"{name}.weight"], groups=1))
    for name in [key.removesuffix(".weight") for key in tensors if ".relative." in key]:
        table = tensors[f"{name}.weight"]
        _replace(quantised, name, *_by_row(table, groups=architecture.heads))
    return quantised


def with_four_bits(quantised: Tensors, words: NDArray[np.float32]) -> Tensors:
    """Return the same with the table of words at 4 bits; ``words`` is the float32 table."""
    from .four_bits import quantize_words

    others = {name: tensor for name, tensor in quantised.items() if not name.startswith(WORDS)}
    return others | {f"{WORDS}.{name}": part for name, part in quantize_words(words).items()}


def _replace(
    tensors: Tensors, name: str, weight: NDArray[np.int8], scale: NDArray[np.float32]
) -> None:
    tensors[f"{name}.weight"] = weight
    tensors[f"{name}.scale"] = scale


def dequantize_parameters(tensors: Tensors) -> Tensors:
    """Return int8 parameters as the float32 numbers that they stand for."""
    if f"{WORDS}.levels" in tensors:
        from .four_bits import dequantize_words

        words = {name.rpartition(".")[2]: part for name, part in tensors.items() if WORDS in name}
        others = {name: tensor for name, tensor in tensors.items() if WORDS not in name}
        tensors = {**others, f"{WORDS}.weight": dequantize_words(words)}
    found = {name: tensor for name, tensor in tensors.items() if not name.endswith(".scale")}
    for name in [name.removesuffix(".scale") for name in tensors if name.endswith(".scale")]:
        weight, scale = tensors[f"{name}.weight"], tensors[f"{name}.scale"]
        if scale.ndim == 2:
            parts = weight.reshape(len(weight), scale.shape[1], -1) * scale[:, :, None]
            found[f"{name}.weight"] = parts.reshape(weight.shape)
        else:
            found[f"{name}.weight"] = weight * scale
    return found


def _by_input(architecture: Architecture) -> list[list[str]]:
    """Group the products that read the same input: their rounding shares its costly part."""
    groups: dict[str, list[str]] = {}
    for name in linear_names(architecture.layers):
        groups.setdefault(input_name(name, architecture), []).append(name)
    return list(groups.values())


def _by_column(
    weight: NDArray[Any], gram: Tensor | None = None
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise columns; ``gram`` is that of the inputs, ``[rows, rows]``, where it is known."""
    scale = _scale(np.abs(weight).max(axis=0))
    if gram is None:
        return _round(weight / scale), scale
    import torch

    levels = round_by_gram(torch.from_numpy(weight), torch.from_numpy(scale), gram)
    return levels.numpy(), scale


def _by_row(weight: NDArray[Any], groups: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise rows cut into ``groups`` equal parts; the scale has the shape [rows, groups]."""
    parts = weight.reshape(len(weight), groups, -1)
    scale = _scale(np.abs(parts).max(axis=2))
    return _round(parts / scale[:, :, None]).reshape(weight.shape), scale


def _scale(peak: NDArray[Any]) -> NDArray[np.float32]:
    """Return the step between levels; 1 for an all-zero vector, which any step gives back."""
    return np.where(peak > 0, peak / LEVELS, 1).astype(np.float32)


def _round(values: NDArray[Any]) -> NDArray[np.int8]:
    return np.asarray(np.clip(np.rint(values), -LEVELS, LEVELS), np.int8)
