"""What goes into each product on real text: every feature's peak, and the Gram matrix of all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from edge_rerank.artifact.architecture import Architecture
from edge_rerank.pairs import TokenizedBatch

from .padding import PaddedBatch, padded_batches
from .reference import TorchReference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(slots=True)
class InputStatistics:
    """Of one product's input rows, over all tokens that the product is computed for."""

    low: Tensor
    """Least value of each feature, ``[inputs]``."""
    high: Tensor
    """Largest value of each feature, ``[inputs]``."""
    gram: Tensor
    """Sum over tokens of the products of features, ``[inputs, inputs]``."""
    total: Tensor
    """Sum over tokens of each feature, ``[inputs]``."""
    count: int = 0
    """Number of tokens."""

    @classmethod
    def none(cls, inputs: int) -> InputStatistics:
        """Return those of no tokens yet."""
        low, high = torch.full((inputs,), torch.inf), torch.full((inputs,), -torch.inf)
        return cls(low, high, torch.zeros(inputs, inputs), torch.zeros(inputs))

    def add(self, values: Tensor) -> None:
        """Count rows ``[tokens, inputs]`` in."""
        self.low = torch.minimum(self.low, values.amin(0))
        self.high = torch.maximum(self.high, values.amax(0))
        self.gram.addmm_(values.T, values)
        self.total += values.sum(0)
        self.count += len(values)

    @property
    def peak(self) -> Tensor:
        """Largest magnitude of each feature, ``[inputs]``."""
        return torch.maximum(-self.low, self.high)

    def subtract(self, vector: NDArray[np.float64]) -> None:
        """Become the statistics of the same rows less a vector ``[inputs]``."""
        less = torch.from_numpy(vector)
        total = self.total.double()
        mixed = torch.outer(total, less)
        gram = self.gram.double() - mixed - mixed.T + self.count * torch.outer(less, less)
        self.gram, self.total = gram.float(), (total - self.count * less).float()
        self.low, self.high = (self.low - less).float(), (self.high - less).float()

    def multiply(self, vector: NDArray[np.float32]) -> None:
        """Become the statistics of the same rows times a vector ``[inputs]``."""
        factor = torch.from_numpy(vector)
        self.gram = self.gram * factor[:, None] * factor
        self.total = self.total * factor
        ends = self.low * factor, self.high * factor
        self.low, self.high = torch.minimum(*ends), torch.maximum(*ends)


Statistics = dict[str, InputStatistics]
"""Under the names of ``input_name``."""


def input_name(product: str, architecture: Architecture) -> str:
    """Name the input that a product reads; products that share one share its statistics.

    Query, key and value read the same rows, except in a last layer whose head reads first tokens,
    where queries are computed for them alone, and in layers across a pair's texts.
    """
    if product.endswith((".key", ".value")):
        apart = architecture.has_other_queries(int(product.split(".", 2)[1]))
        return product.rsplit(".", 1)[0] + (".key" if apart else ".query")
    return product


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an input of the engines' products is seen in transformers' model."""

    name: str
    """As ``input_name`` calls it."""
    product: str
    """The product, an nn.Linear there, that reads it and nothing else."""
    rows: str = "all"
    """For which tokens the engines compute it: ``all``, the ``first`` of each pair, or those of one
    of its texts, ``query`` or ``passage``."""


def collect_statistics(
    reference: TorchReference, architecture: Architecture, pairs: TokenizedBatch
) -> Statistics:
    """Run the float32 model on pairs and look at what its products get.

    Memory is a square of floats for each product: 0.14 GB for xsmall, 2 GB for large.
    """
    watch = _Watch(architecture)
    with watch.over(reference):
        for batch in padded_batches(pairs):
            watch.batch = batch
            reference.run(batch)
    return watch.found


class _Watch:
    """Counts in what goes into the products of transformers' model while it runs."""

    def __init__(self, architecture: Architecture) -> None:
        self.found: Statistics = {}
        self.batch: PaddedBatch
        """The one that runs."""
        self._places = list(_places(architecture))

    @contextmanager
    def over(self, reference: TorchReference) -> Iterator[None]:
        """Watch its model as long as the block runs."""
        with ExitStack() as hooks:
            for place in self._places:
                module = reference.module(place.product)
                handle = module.register_forward_pre_hook(partial(self._see, place))
                hooks.callback(handle.remove)
            yield

    def _see(self, place: _Place, module: Any, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0][:, 0] if place.rows == "first" else inputs[0][self._mask(place.rows)]
        if place.name not in self.found:
            size = values.shape[1]
            self.found[place.name] = InputStatistics.none(size)
        self.found[place.name].add(values)

    def _mask(self, rows: str) -> Tensor:
        batch = self.batch
        return batch.mask if rows == "all" else batch.mask & (batch.types == (rows == "passage"))


def _places(architecture: Architecture) -> Iterator[_Place]:
    """Name all inputs.

    What query, key and value read is seen at the value's product: transformers passes the
    relative-position embeddings through the other two as well.
    """
    for layer in range(architecture.layers):
        name = f"layers.{layer}"
        keys, queries = _rows(architecture, layer)
        value = f"{name}.attention.value"
        if architecture.has_other_queries(layer):
            yield _Place(f"{name}.attention.key", value, keys)
        yield _Place(f"{name}.attention.query", _seen_at(architecture, layer), queries)
        for part in ("attention.output", "ffn.up", "ffn.down"):
            yield _Place(f"{name}.{part}", f"{name}.{part}", queries)


def _rows(architecture: Architecture, layer: int) -> tuple[str, str]:
    """Say for which rows a layer computes keys and values, and for which all else."""
    if layer >= architecture.encoding_layers:
        return "passage", "query"
    return "all", "first" if layer == architecture.layer_of_first_tokens else "all"


def _seen_at(architecture: Architecture, layer: int) -> str:
    """Name the product at which the queries' input is seen: not the value's in layers across."""
    across = layer >= architecture.encoding_layers
    return f"layers.{layer}.attention.{'query' if across else 'value'}"
