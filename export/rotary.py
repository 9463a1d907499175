"""Frequencies of rotary positions: how far each pair of a head's inputs turns with every token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_rerank.artifact.architecture import RotaryPositions

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rotary_frequencies(rotary: RotaryPositions, head_size: int) -> dict[str, NDArray[Any]]:
    """Return the frequencies of global layers, and of local ones where they have their own.

    Computed in torch's float32 as transformers does: at 8,000 tokens the last bit of a frequency
    is a thousandth of a turn.
    """
    bases = {"rotary.frequencies": rotary.base}
    if rotary.local_base is not None:
        bases["rotary.local.frequencies"] = rotary.local_base
    return {name: _frequencies(base, head_size) for name, base in bases.items()}


def _frequencies(base: float, size: int) -> NDArray[np.float32]:
    import torch

    shares = torch.arange(0, size, 2, dtype=torch.int64).to(torch.float32) / size
    return np.asarray((1.0 / (base**shares)).numpy(), np.float32)
