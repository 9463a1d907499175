"""Inputs of products mixed by a Walsh-Hadamard transform, weights by its inverse.

What leaves an activation function is near zero but for a few features, other ones in each token:
up to ninety times the root mean square, and no vector of factors, the same for all tokens, can
smooth that. A transform whose entries are all 1 or -1 shares a value that stands out among all that
it mixes, and does the same to the weights, so that both lose less when they are rounded (QuIP,
Chee et al., 2023; QuaRot, Ashkboos et al., 2024). Signs chosen at random come before it, or all
that a token's features have in common would come together in one of them. What comes from a norm
stands out less; smoothed and then mixed, it takes a fifth off the error that is left.

Only whole vectors of 16 are added and subtracted, ``points`` of them at a time: the engines then
shuffle nothing within a vector, and sums in this order are the same bits on every processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .parameters import mix_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray
    from torch import Tensor

LANES = 16
"""Features of a vector that stay together."""
MOST_POINTS = 32
"""Of a transform: more would share no better, and take the engines longer."""


def points_of(inputs: int) -> int:
    """Return how many vectors of so many inputs can be mixed with one another; 1 is none."""
    points = 1
    while points < MOST_POINTS and inputs % (2 * points * LANES) == 0:
        points *= 2
    return points


def mixed(tensors: Mapping[str, Any], product: str) -> int:
    """Return how many vectors of a product's inputs are mixed; 1 where none are."""
    name = mix_name(product)
    return int(tensors[name][0]) if name is not None and name in tensors else 1


def signs_and_length(inputs: int, points: int, layer: int) -> NDArray[np.float32]:
    """Return what comes before the transform: signs, and the factor that keeps a row's length."""
    signs = np.random.default_rng(layer).integers(0, 2, inputs) * 2 - 1
    return np.asarray(signs / np.sqrt(points), np.float32)


def hadamard(points: int) -> NDArray[np.float32]:
    """Return the matrix ``[points, points]`` of 1 and -1 in Sylvester's order."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < points:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


def mix_rows(weight: NDArray[Any], points: int) -> NDArray[np.float32]:
    """Multiply ``[inputs, outputs]`` by the transform's inverse, or a row of inputs by itself.

    The matrix is its own inverse but for the factor ``points``.
    """
    parts = weight.reshape(-1, points, LANES * weight.shape[1])
    return np.asarray((hadamard(points) / points) @ parts, np.float32).reshape(weight.shape)


def unmix_rows(weight: NDArray[Any], points: int) -> NDArray[np.float32]:
    """Return what :func:`mix_rows` was given."""
    return mix_rows(weight, points) * points


def mix_gram(gram: Tensor, points: int) -> Tensor:
    """Return the Gram matrix of mixed rows out of that of the rows."""
    import torch

    matrix = torch.from_numpy(hadamard(points))

    def mix(values: Tensor) -> Tensor:
        parts = values.reshape(-1, points, LANES * values.shape[1])
        return (matrix @ parts).reshape(values.shape)

    return mix(mix(gram).T.contiguous())
