"""The encoder in torch, on the artifact's own tensors, with every product open to inspection.

transformers computes the same numbers from the checkpoint. This one exists because calibration has
to see what goes into each product, and because trials of quantisation replace the products: it
takes the function that multiplies. Tokens of all pairs lie below one another without padding;
only the attention, which goes pair by pair, lays them out in a padded form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from edge_rerank.artifact.manifest import Architecture
from edge_rerank.pairs import TokenizedBatch

if TYPE_CHECKING:
    from .parameters import Tensors

Product = Callable[[Tensor, str], Tensor]
"""Multiplies values ``[tokens, inputs]`` by the weight of a name and adds its bias."""

_TOKENS_PER_BATCH = 4096
_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": lambda values: functional.gelu(values, approximate="tanh"),
    "gelu_pytorch_tanh": lambda values: functional.gelu(values, approximate="tanh"),
    "relu": functional.relu,
    "tanh": torch.tanh,
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs of about one length: ``ids``, ``types`` and ``mask``, all ``[pairs, length]``."""

    ids: Tensor
    types: Tensor
    mask: Tensor
    places: tuple[int, ...]
    """Where each pair was in the order it came in."""


def batches(pairs: TokenizedBatch) -> Iterator[Batch]:
    """Group pairs by length, short ones first."""
    lengths = pairs.lengths.tolist()
    order = sorted(range(len(pairs)), key=lengths.__getitem__)
    while order:
        rows = 1
        while rows < len(order) and (rows + 1) * lengths[order[rows]] <= _TOKENS_PER_BATCH:
            rows += 1
        yield _batch(pairs, order[:rows])
        order = order[rows:]


def _batch(pairs: TokenizedBatch, places: list[int]) -> Batch:
    chosen = pairs.take(places)
    lengths, first = (torch.from_numpy(it) for it in (chosen.lengths, chosen.first_segments))
    columns = torch.arange(int(lengths.max()))
    mask = columns < lengths[:, None]
    ids = torch.zeros(mask.shape, dtype=torch.int64)
    ids[mask] = torch.from_numpy(chosen.ids).long()
    types = (mask & (columns >= first[:, None])).long()
    return Batch(ids, types, mask, tuple(places))


class Forward:
    """The model of float32 tensors as ``collect_parameters`` gives them."""

    def __init__(
        self, tensors: Tensors, architecture: Architecture, product: Product | None = None
    ) -> None:
        """Share the tensors' memory; ``product`` takes the place of the plain float32 one."""
        self.tensors = {name: torch.from_numpy(it) for name, it in tensors.items()}
        self.architecture = architecture
        self.product = product or self.linear

    def linear(self, values: Tensor, name: str) -> Tensor:
        """Multiply in float32."""
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return torch.addmm(bias, values, weight)

    @torch.no_grad()
    def logits(self, pairs: TokenizedBatch) -> Tensor:
        """Return one logit a pair."""
        found = torch.empty(len(pairs))
        for batch in batches(pairs):
            hidden = self.embed(batch)
            for layer in range(self.architecture.layers):
                hidden = self.layer(hidden, layer, batch)
            found[list(batch.places)] = self.head(hidden)
        return found

    def embed(self, batch: Batch) -> Tensor:
        """Give the first hidden states, ``[tokens, hidden]``."""
        it, tensors = self.architecture, self.tensors
        hidden = tensors["embeddings.word.weight"][batch.ids[batch.mask]]
        if it.type_vocab_size:
            hidden = hidden + tensors["embeddings.type.weight"][batch.types[batch.mask]]
        if it.position_biased_input:
            positions = torch.arange(batch.ids.shape[1]).expand_as(batch.ids)[batch.mask]
            hidden = hidden + tensors["embeddings.position.weight"][positions]
        if it.embedding_size != it.hidden_size:
            hidden = hidden @ tensors["embeddings.projection.weight"]
        return self._norm(hidden, "embeddings.norm")

    def layer(self, hidden: Tensor, layer: int, batch: Batch) -> Tensor:
        """Give the next hidden states; of the last layer the first token's of each pair alone."""
        name = f"layers.{layer}"
        first = layer == self.architecture.layers - 1
        queries = hidden[_first_rows(batch)] if first else hidden
        context = self._attend(queries, hidden, name, batch, first)
        hidden = queries + self.product(context, f"{name}.attention.output")
        hidden = self._norm(hidden, f"{name}.attention.norm")
        inner = self.product(hidden, f"{name}.ffn.up")
        inner = _ACTIVATIONS[self.architecture.hidden_act](inner)
        return self._norm(hidden + self.product(inner, f"{name}.ffn.down"), f"{name}.ffn.norm")

    def head(self, first: Tensor) -> Tensor:
        """Give the logits from the first tokens' last hidden states."""
        tensors = self.tensors
        pooled = first @ tensors["pooler.weight"].T + tensors["pooler.bias"]
        pooled = _ACTIVATIONS[self.architecture.pooler_hidden_act](pooled)
        return (pooled @ tensors["classifier.weight"].T + tensors["classifier.bias"])[:, 0]

    def scores(self, query: Tensor, key: Tensor, name: str) -> Tensor:
        """Give unscaled scores ``[pairs, heads, queries, length]`` of content and distance.

        ``query`` is ``[pairs, heads, queries, size]``, ``key`` the same for all tokens.
        """
        length = key.shape[2]
        scores = query @ key.transpose(2, 3)
        if f"{name}.relative.key.weight" in self.tensors:
            table = self._table(f"{name}.relative.key", length)
            scores = scores + _along_diagonals(query @ table.transpose(1, 2), length)
        if f"{name}.relative.query.weight" in self.tensors:
            table = self._table(f"{name}.relative.query", length).flip(1)
            by_key = _along_diagonals(key @ table.transpose(1, 2), length).transpose(2, 3)
            scores = scores + by_key[:, :, : query.shape[2]]
        return scores

    def _attend(
        self, queries: Tensor, hidden: Tensor, name: str, batch: Batch, first: bool
    ) -> Tensor:
        it, mask = self.architecture, batch.mask
        rows = torch.ones_like(mask[:, :1]) if first else mask
        query = self._heads(self.product(queries, f"{name}.attention.query"), rows)
        key = self._heads(self.product(hidden, f"{name}.attention.key"), mask)
        value = self._heads(self.product(hidden, f"{name}.attention.value"), mask)
        # transformers scales by the number of terms asked for, even where none is computed.
        scale = 1 / math.sqrt(it.head_size * (1 + len(set(it.pos_att_type))))
        scores = self.scores(query, key, name) * scale
        scores = scores.masked_fill(~mask[:, None, None, :], -torch.inf)
        context = torch.softmax(scores, -1) @ value
        return context.transpose(1, 2).flatten(2)[rows]

    def _heads(self, values: Tensor, rows: Tensor) -> Tensor:
        """Lay ``[tokens, hidden]`` out as ``[pairs, heads, length, size]``; padding is zero."""
        padded = values.new_zeros(*rows.shape, values.shape[1])
        padded[rows] = values
        return padded.view(*rows.shape, self.architecture.heads, -1).transpose(1, 2)

    def _table(self, name: str, length: int) -> Tensor:
        """Give ``[heads, 2 * length - 1, size]``: distances from length - 1 down."""
        bucket = self.tensors["relative.bucket"]
        middle = len(bucket) // 2
        rows = self.tensors[f"{name}.weight"][bucket[middle - length : middle + length - 1].long()]
        return rows.view(len(rows), self.architecture.heads, -1).transpose(0, 1)

    def _norm(self, hidden: Tensor, name: str) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return functional.layer_norm(
            hidden, weight.shape, weight, bias, self.architecture.layer_norm_eps
        )


def _first_rows(batch: Batch) -> Tensor:
    """Give the row of each pair's first token among all tokens."""
    lengths = batch.mask.sum(1)
    return lengths.cumsum(0) - lengths


def _along_diagonals(products: Tensor, length: int) -> Tensor:
    """Read ``[..., i, j - i + length - 1]`` as ``[..., i, j]``: one step back with each row."""
    products = products.contiguous()
    step = (*products.stride()[:-2], 2 * length - 2, 1)
    return products.as_strided((*products.shape[:-1], length), step, length - 1)
