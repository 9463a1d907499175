"""What goes into each product on real text: every feature's peak, and the Gram matrix of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from edge_rerank.artifact.manifest import Architecture
from edge_rerank.pairs import TokenizedBatch

from .forward import Forward

if TYPE_CHECKING:
    from .parameters import Tensors


@dataclass(slots=True)
class InputStatistics:
    """Of one product's input rows, over all tokens that the product is computed for."""

    peak: Tensor
    """Largest magnitude of each feature, ``[inputs]``."""
    gram: Tensor
    """Sum over tokens of the products of features, ``[inputs, inputs]``."""
    count: int = 0
    """Number of tokens."""

    def add(self, values: Tensor) -> None:
        """Count rows ``[tokens, inputs]`` in."""
        self.peak = torch.maximum(self.peak, values.abs().amax(0))
        self.gram.addmm_(values.T, values)
        self.count += len(values)


Statistics = dict[str, InputStatistics]
"""Under the names of ``input_name``."""


def input_name(product: str, layers: int) -> str:
    """Name the input that a product reads; products that share one share its statistics.

    Query, key and value read the same rows, except in the last layer, where queries are computed
    for first tokens alone.
    """
    if product.endswith((".key", ".value")):
        last = product.startswith(f"layers.{layers - 1}.")
        return product.rsplit(".", 1)[0] + (".key" if last else ".query")
    return product


def collect_statistics(
    tensors: Tensors, architecture: Architecture, pairs: TokenizedBatch
) -> Statistics:
    """Run the float32 model on pairs and look at what its products get.

    Memory is a square of floats for each product: 0.14 GB for xsmall, 2 GB for large.
    """
    found: Statistics = {}
    forward = Forward(tensors, architecture)

    def watched(values: Tensor, name: str) -> Tensor:
        if input_name(name, architecture.layers) == name:
            if name not in found:
                size = values.shape[1]
                found[name] = InputStatistics(torch.zeros(size), torch.zeros(size, size))
            found[name].add(values)
        return forward.linear(values, name)

    forward.product = watched
    forward.logits(pairs)
    return found
