"""The table of words at 4 bits: groups of 32 features, each with a scale of its own.

A code stands for one of 16 levels, which lie where the table's values do: denser around zero,
fitted to each table (Lloyd, 1982). Scales take signs, so that a group's largest value, whichever
sign it has, lies on the first level. A group's scale is a whole number of -127 to 127 times the
row's: one byte a group, where a float32 would be four.

The first sixteenth of the words keeps 8 bits. Vocabularies begin with what is frequent (Unigram's
pieces are sorted so, and WordPiece's nearly), so that these are most of a text's tokens: it halves
the error for a thirtieth of the table's size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUP = 32
"""Features that share a scale: public models lost 3 points with 128, and 8 with whole rows."""
LEVELS = 16
FREQUENT = 16
"""One in so many words, those with the lowest ids, keeps 8 bits."""
_MOST = 127
_ROWS = 4096
"""At a time, so that memory does not grow with the vocabulary."""
_SAMPLE = 2048
"""Rows that the levels are fitted to."""
_FITTING, _REFINING = 30, 2
"""Rounds. More refine no further: the error falls from 0.0883 to 0.0881 with twice as many."""


def frequent_words(words: int) -> int:
    """Return how many words keep 8 bits, of a vocabulary's."""
    return max(1, words // FREQUENT)


def quantize_words(table: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return the table's tensors, without their common name; ``quantized/README.md`` has them.

    Raises ExportError for a table whose rows are not whole groups.
    """
    width = table.shape[1]
    if width % GROUP:
        raise ExportError(
            f"--embedding-bits 4 takes embeddings whose width is a multiple of {GROUP}; this "
            f"model's is {width}: export with 8"
        )
    frequent = torch.from_numpy(table[: frequent_words(len(table))])
    rest = torch.from_numpy(table[len(frequent) :])
    rows = len(rest)
    values = rest.reshape(rows, width // GROUP, GROUP)
    levels = _fit_levels(values)
    parts = [_quantize(values[start : start + _ROWS], levels) for start in range(0, rows, _ROWS)]
    codes, groups, scales = (torch.cat(some) for some in zip(*parts, strict=True))
    pairs = codes.reshape(rows, width // 2, 2)
    bytes_, of_bytes = _bytes(frequent)
    return {
        "frequent": bytes_.numpy(),
        "weight": (pairs[..., 0] | pairs[..., 1] << 4).numpy(),
        "scale": torch.cat([of_bytes, scales]).numpy(),
        "group": groups.numpy(),
        "levels": levels.to(torch.int8).numpy(),
    }


def dequantize_words(tensors: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return the float32 table that the tensors stand for, as engines compute it."""
    packed, frequent = tensors["weight"], tensors["frequent"]
    scale, of_bytes = tensors["scale"][len(frequent) :], tensors["scale"][: len(frequent)]
    codes = np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1, GROUP)
    scales = tensors["group"].astype(np.float32) * scale
    levels = tensors["levels"].astype(np.float32)
    rest = (levels[codes] * scales[..., None]).reshape(len(packed), -1)
    return np.concatenate([frequent * of_bytes, rest]).astype(np.float32)


def _bytes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows as int8, and the scale of each, as tables of 8 bits have them."""
    scale = rows.abs().amax(1, keepdim=True) / _MOST
    scale = torch.where(scale > 0, scale, 1)
    return torch.round(rows / scale).clamp(-_MOST, _MOST).to(torch.int8), scale


def _fit_levels(values: Tensor) -> Tensor:
    """Return the levels, as float32 whole numbers that rise from -127."""
    step = max(1, len(values) // _SAMPLE)
    sample = values[::step]
    peak = _peak(sample)
    weight = (peak * peak)[..., None].expand(sample.shape).reshape(-1)
    ratio = (sample / torch.where(peak == 0, 1, -peak)[..., None]).reshape(-1)
    levels = torch.linspace(-1, 1, LEVELS)
    for _ in range(_FITTING):
        nearest = torch.bucketize(ratio, (levels[1:] + levels[:-1]) / 2)
        mass = torch.bincount(nearest, weight, LEVELS)
        sums = torch.bincount(nearest, weight * ratio, LEVELS)
        levels = torch.where(mass > 0, sums / mass.clamp(min=1e-30), levels)
        levels[0] = -1
    return torch.round(levels * _MOST)


def _quantize(values: Tensor, levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return codes, group scales and row scales of some rows."""
    scale = _peak(values) / levels[0]
    for _ in range(_REFINING):
        chosen = levels[_codes(values, _rounded(scale)[2], levels)]
        # The scale with the least squared error for these codes.
        scale = (values * chosen).sum(2) / (chosen * chosen).sum(2).clamp(min=1e-30)
    groups, rows, exact = _rounded(scale)
    return _codes(values, exact, levels).to(torch.uint8), groups.to(torch.int8), rows


def _peak(values: Tensor) -> Tensor:
    """Return each group's value of the largest magnitude, with its sign."""
    return values.gather(2, values.abs().argmax(2, keepdim=True))[..., 0]


def _rounded(scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return group scales as whole numbers, row scales, and their products."""
    rows = scale.abs().amax(1, keepdim=True) / _MOST
    rows = torch.where(rows > 0, rows, 1)
    groups = torch.round(scale / rows).clamp(-_MOST, _MOST)
    return groups, rows, groups * rows


def _codes(values: Tensor, scale: Tensor, levels: Tensor) -> Tensor:
    inverse = torch.where(scale == 0, 0, 1 / scale)
    return torch.bucketize(values * inverse[..., None], (levels[1:] + levels[:-1]) / 2)
