"""Weights rounded so that the product's error is small, not each weight's: GPTQ.

Frantar et al., 2022 (arXiv:2210.17323): inputs are taken one after the other, and what rounding a
row of weights did to the outputs is undone, as far as it can be, by the rows still to come. How
far it can be is in the Gram matrix of the inputs, so correlated features make up for one another.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 127
"""Largest magnitude of a quantised weight: -128 is left out, so that the range is symmetric."""
DAMPING = 0.01
"""Added to the Gram matrix's diagonal, as a share of its mean: the paper's value."""
_STRONGER = 7
"""Dampings that are tried, each ten times the one before; the last leaves little but a diagonal."""
_BLOCK = 128
"""Rows after which later ones are brought up to date: one large product instead of many small."""


def round_by_gram(weight: Tensor, scale: Tensor, gram: Tensor) -> Tensor:
    """Return the int8 levels ``[inputs, outputs]`` of float32 weights; ``scale`` is ``[outputs]``.

    ``gram`` is ``[inputs, inputs]``, of what the weights are multiplied with. Inputs go in the
    order of their power, strongest first ("act-order" in the authors' code).
    """
    order = torch.argsort(gram.diagonal(), descending=True, stable=True)
    factor = _inverse_factor(gram[order][:, order])
    if factor is None:
        return torch.round(weight / scale).clamp(-LEVELS, LEVELS).to(torch.int8)
    levels = torch.empty(weight.shape, dtype=torch.int8)
    levels[order] = _round_in_order(weight[order], scale, factor)
    return levels


def _inverse_factor(gram: Tensor) -> Tensor | None:
    """Return the upper Cholesky factor of the damped matrix's inverse (section 3.3, step 3).

    Rows that are nearly alike, less their mean, leave little but what float32 rounded: such a
    matrix has negative eigenvalues, and is damped more. None for one that says nothing.
    """
    power = gram.diagonal().double().abs().mean()
    for exponent in range(_STRONGER):
        exact = gram.double()
        exact.diagonal().add_(DAMPING * 10**exponent * power)
        lower, failed = torch.linalg.cholesky_ex(exact)
        if not bool(failed):
            factor: Tensor = torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
            return factor.float()
    return None


def _round_in_order(weight: Tensor, scale: Tensor, factor: Tensor) -> Tensor:
    """Round row by row; ``weight`` is used up."""
    levels = torch.empty(weight.shape, dtype=torch.int8)
    for start in range(0, len(weight), _BLOCK):
        end = min(start + _BLOCK, len(weight))
        errors = torch.empty(end - start, weight.shape[1])
        for row in range(start, end):
            rounded = torch.round(weight[row] / scale).clamp(-LEVELS, LEVELS)
            levels[row] = rounded.to(torch.int8)
            error = (weight[row] - rounded * scale) / factor[row, row]
            weight[row + 1 : end].addr_(factor[row, row + 1 : end], error, alpha=-1)
            errors[row - start] = error
        weight[end:].addmm_(factor[start:end, end:].T, errors, alpha=-1)
    return levels
