"""The model's parameters under the artifact's own names, in the layout that engines read.

Products are stored as ``[inputs, outputs]``, tables as ``[rows, columns]``; everything that
depends on weights alone, such as each layer's projections of the relative-position table, is
computed here, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_rerank.artifact.manifest import Architecture

from .config import relative_limit, relative_span
from .errors import CheckpointError
from .weights import why_missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weights = Mapping[str, "NDArray[np.float32]"]
Tensors = dict[str, "NDArray[Any]"]

_LAYER_PARTS = {
    "attention.query": "attention.self.query_proj",
    "attention.key": "attention.self.key_proj",
    "attention.value": "attention.self.value_proj",
    "attention.output": "attention.output.dense",
    "ffn.up": "intermediate.dense",
    "ffn.down": "output.dense",
}
_SMOOTHED = {
    "attention.query": "attention.smooth",
    "attention.key": "attention.smooth",
    "attention.value": "attention.smooth",
    "ffn.up": "ffn.up.smooth",
    "ffn.down": "ffn.down.smooth",
}
_LAYER_NORMS = {"attention.norm": "attention.output.LayerNorm", "ffn.norm": "output.LayerNorm"}


def linear_names(layers: int) -> list[str]:
    """Name the linear products of the encoder, in the order in which they are computed."""
    return [f"layers.{layer}.{part}" for layer in range(layers) for part in _LAYER_PARTS]


def module_name(linear: str) -> str:
    """Name the module of transformers' model that computes a product."""
    _, layer, part = linear.split(".", 2)
    return f"deberta.encoder.layer.{layer}.{_LAYER_PARTS[part]}"


def smooth_name(linear: str) -> str | None:
    """Name the vector that a product's input may be multiplied by; None where none can be."""
    _, layer, part = linear.split(".", 2)
    vector = _SMOOTHED.get(part)
    return f"layers.{layer}.{vector}" if vector else None


def collect_parameters(weights: Weights, architecture: Architecture, max_length: int) -> Tensors:
    """Lay out a checkpoint's weights as the artifact has them, all float32.

    Raises CheckpointError naming the first weight that is missing or of another shape than the
    configuration asks for.
    """
    reader = _Reader(weights, architecture)
    tensors = reader.embeddings()
    for layer in range(architecture.layers):
        tensors |= reader.layer(layer)
    if architecture.relative_attention and architecture.pos_att_type:
        tensors |= reader.relative_tables()
        tensors["relative.bucket"] = relative_buckets(architecture, max_length)
    return tensors | reader.head()


def relative_buckets(architecture: Architecture, max_length: int) -> NDArray[np.int32]:
    """Give the table row of every distance that pairs of up to ``max_length`` tokens have.

    Entry ``c`` of the ``2 * max_length`` entries is for query position minus key position
    ``d = max_length - 1 - c``; the last one repeats its neighbour, so that the number is even.
    The formula is DeBERTa-v2's (He et al., 2021, and transformers' ``make_log_bucket_position``):
    distances up to half the buckets have a row each, further ones share rows logarithmically. It
    is computed in torch's float32 because its ``ceil`` falls on exact integers, where another
    library's logarithm may land on the other side.
    """
    import torch

    distance = torch.arange(max_length - 1, -max_length - 1, -1).clamp(min=1 - max_length)
    span, buckets = relative_span(architecture), architecture.position_buckets
    if buckets > 0:
        middle = buckets // 2
        near = distance.abs() < middle
        far = torch.where(near, middle - 1, distance.abs())
        limit = torch.log(torch.tensor((relative_limit(architecture) - 1) / middle))
        steps = torch.ceil(torch.log(far / middle) / limit * (middle - 1)) + middle
        logarithmic = steps * torch.sign(distance)
        distance = torch.where(far <= middle, distance.to(steps.dtype), logarithmic).to(torch.long)
    return np.asarray((distance + span).clamp(0, 2 * span - 1).to(torch.int32).numpy())


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads weights by their Hugging Face names and checks their shapes."""

    weights: Weights
    architecture: Architecture

    def embeddings(self) -> Tensors:
        it = self.architecture
        width = it.embedding_size
        tensors: Tensors = {
            "embeddings.word.weight": self.take(
                "deberta.embeddings.word_embeddings.weight", it.vocab_size, width
            )
        }
        if it.position_biased_input:
            tensors["embeddings.position.weight"] = self.take(
                "deberta.embeddings.position_embeddings.weight", it.max_position_embeddings, width
            )
        if it.type_vocab_size:
            tensors["embeddings.type.weight"] = self.take(
                "deberta.embeddings.token_type_embeddings.weight", it.type_vocab_size, width
            )
        if width != it.hidden_size:
            tensors["embeddings.projection.weight"] = self.take(
                "deberta.embeddings.embed_proj.weight", it.hidden_size, width
            ).T.copy()
        return tensors | self.norm("embeddings.norm", "deberta.embeddings.LayerNorm")

    def layer(self, layer: int) -> Tensors:
        it = self.architecture
        sizes = {"ffn.up": (it.hidden_size, it.intermediate_size)}
        sizes["ffn.down"] = sizes["ffn.up"][::-1]
        tensors: Tensors = {}
        for part, name in _LAYER_PARTS.items():
            inputs, outputs = sizes.get(part, (it.hidden_size, it.hidden_size))
            weight, bias = self.linear(f"deberta.encoder.layer.{layer}.{name}", inputs, outputs)
            tensors[f"layers.{layer}.{part}.weight"] = weight
            tensors[f"layers.{layer}.{part}.bias"] = bias
        for part, name in _LAYER_NORMS.items():
            tensors |= self.norm(f"layers.{layer}.{part}", f"deberta.encoder.layer.{layer}.{name}")
        return tensors

    def relative_tables(self) -> Tensors:
        """Project the relative-position embeddings by each layer's key and query weights."""
        it = self.architecture
        rows = self.take(
            "deberta.encoder.rel_embeddings.weight", 2 * relative_span(it), it.hidden_size
        )
        if it.norm_rel_ebd == "layer_norm":
            norm = self.norm("norm", "deberta.encoder.LayerNorm")
            rows = _layer_norm(rows, norm["norm.weight"], norm["norm.bias"], it.layer_norm_eps)
        kinds = {
            "key": ("c2p", "key_proj" if it.share_att_key else "pos_key_proj"),
            "query": ("p2c", "query_proj" if it.share_att_key else "pos_query_proj"),
        }
        tensors: Tensors = {}
        for layer in range(it.layers):
            for kind, (term, name) in kinds.items():
                if term in it.pos_att_type:
                    weight, bias = self.linear(
                        f"deberta.encoder.layer.{layer}.attention.self.{name}",
                        it.hidden_size,
                        it.hidden_size,
                    )
                    tensors[f"layers.{layer}.relative.{kind}.weight"] = rows @ weight + bias
        return tensors

    def head(self) -> Tensors:
        hidden = self.architecture.hidden_size
        return {
            "pooler.weight": self.take("pooler.dense.weight", hidden, hidden),
            "pooler.bias": self.take("pooler.dense.bias", hidden),
            "classifier.weight": self.take("classifier.weight", 1, hidden),
            "classifier.bias": self.take("classifier.bias", 1),
        }

    def norm(self, name: str, source: str) -> Tensors:
        hidden = self.architecture.hidden_size
        return {
            f"{name}.weight": self.take(f"{source}.weight", hidden),
            f"{name}.bias": self.take(f"{source}.bias", hidden),
        }

    def linear(
        self, source: str, inputs: int, outputs: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        weight = self.take(f"{source}.weight", outputs, inputs)
        return weight.T.copy(), self.take(f"{source}.bias", outputs)

    def take(self, key: str, *shape: int) -> NDArray[np.float32]:
        if key not in self.weights:
            raise CheckpointError(why_missing(key, self.weights))
        found = self.weights[key]
        if found.shape != shape:
            raise CheckpointError(
                f"the weight {key} has the shape {list(found.shape)}, "
                f"but config.json asks for {list(shape)}"
            )
        return found


def _layer_norm(
    rows: NDArray[np.float32], weight: NDArray[Any], bias: NDArray[Any], epsilon: float
) -> NDArray[np.float32]:
    exact = rows.astype(np.float64)
    centred = exact - exact.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return np.asarray(centred / spread * weight + bias, np.float32)
