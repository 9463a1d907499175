"""Tables of relative positions: which row a distance has, and what each layer makes of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_rerank.artifact.architecture import RelativePositions

if TYPE_CHECKING:
    from numpy.typing import NDArray


def relative_span(positions: RelativePositions) -> int:
    """Return half the rows of the table: the furthest bucket, in either way."""
    return positions.buckets or positions.furthest


def relative_buckets(positions: RelativePositions, max_length: int) -> NDArray[np.int32]:
    """Return the table row of every distance that pairs of up to ``max_length`` tokens have.

    Entry ``c`` of the ``2 * max_length`` entries is for query position minus key position
    ``d = max_length - 1 - c``; the last one repeats its neighbour, so that the number is even.
    The formula is DeBERTa-v2's (He et al., 2021, and transformers' ``make_log_bucket_position``):
    distances up to half the buckets have a row each, further ones share rows logarithmically. It
    is computed in torch's float32 because its ``ceil`` falls on exact integers, where another
    library's logarithm may land on the other side.
    """
    import torch

    distance = torch.arange(max_length - 1, -max_length - 1, -1).clamp(min=1 - max_length)
    span = relative_span(positions)
    if positions.buckets:
        middle = positions.buckets // 2
        near = distance.abs() < middle
        far = torch.where(near, middle - 1, distance.abs())
        limit = torch.log(torch.tensor((positions.furthest - 1) / middle))
        steps = torch.ceil(torch.log(far / middle) / limit * (middle - 1)) + middle
        logarithmic = steps * torch.sign(distance)
        distance = torch.where(far <= middle, distance.to(steps.dtype), logarithmic).to(torch.long)
    return np.asarray((distance + span).clamp(0, 2 * span - 1).to(torch.int32).numpy())


def layer_norm(
    rows: NDArray[np.float32], weight: NDArray[Any], bias: NDArray[Any], epsilon: float
) -> NDArray[np.float32]:
    """Normalise each row, in double precision."""
    exact = rows.astype(np.float64)
    centred = exact - exact.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return np.asarray(centred / spread * weight + bias, np.float32)
