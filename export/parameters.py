"""The model's parameters under the artifact's own names, in the layout that engines read.

Products are stored as ``[inputs, outputs]``, tables as ``[rows, columns]``; everything that
depends on weights alone, such as each layer's projections of the relative-position table, is
computed here, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from edge_rerank.artifact.architecture import Architecture, DenseStep

from .errors import CheckpointError
from .families import Layout
from .relative import layer_norm, relative_buckets, relative_span
from .rotary import rotary_frequencies
from .two_logits import difference
from .weights import why_missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weights = Mapping[str, "NDArray[np.float32]"]
Tensors = dict[str, "NDArray[Any]"]
Value = TypeVar("Value")

_LINEARS = (
    *("attention.query", "attention.key", "attention.value", "attention.output"),
    *("ffn.up", "ffn.down"),
)
_INPUTS = {
    "attention.query": "attention",
    "attention.key": "attention",
    "attention.value": "attention",
    "ffn.up": "ffn.up",
    "ffn.down": "ffn.down",
}
"""Under which name it is said what the engines do to a product's input."""


def linear_names(layers: int) -> list[str]:
    """Name the linear products of the encoder, in the order in which they are computed."""
    return [f"layers.{layer}.{part}" for layer in range(layers) for part in _LINEARS]


def head_products(architecture: Architecture) -> list[str]:
    """Name the products of the head, but for the last one."""
    if architecture.head.kind == "dense":
        return ["pooler"]
    steps = enumerate(architecture.head.steps)
    return [f"head.{number}" for number, step in steps if isinstance(step, DenseStep)]


def smooth_name(linear: str) -> str | None:
    """Name the vector that a product's input may be multiplied by; None where none can be."""
    return _of_input(linear, "smooth")


def mix_name(linear: str) -> str | None:
    """Name the tensor that says how many vectors of a product's input are mixed; None likewise."""
    return _of_input(linear, "mix")


def _of_input(linear: str, tensor: str) -> str | None:
    _, layer, part = linear.split(".", 2)
    return f"layers.{layer}.{_INPUTS[part]}.{tensor}" if part in _INPUTS else None


def collect_parameters(weights: Weights, layout: Layout, max_length: int) -> Tensors:
    """Lay out a checkpoint's weights as the artifact has them, all float32.

    Raises CheckpointError naming the first weight that is missing or of another shape than the
    configuration asks for.
    """
    reader = _Reader(renamed(weights, layout), layout)
    tensors = reader.embeddings()
    for layer in range(layout.architecture.layers):
        tensors |= reader.layer(layer)
    if layout.architecture.norm == "before":
        tensors |= reader.norm("final_norm", layout.names.final_norm)
    if rotary := layout.architecture.positions.rotary:
        tensors |= rotary_frequencies(rotary, layout.architecture.head_size)
    if relative := layout.architecture.positions.relative:
        tensors |= reader.relative_tables()
        tensors["relative.bucket"] = relative_buckets(relative, max_length)
    if layout.architecture.segments:
        tensors |= reader.cosine()
    return tensors | reader.head()


def renamed(weights: Mapping[str, Value], layout: Layout) -> dict[str, Value]:
    """Return weights, or tensors of torch, under the names that the layout goes by."""

    def name_of(key: str) -> str:
        for old, new in layout.renamed.items():
            if key.startswith(old):
                return new + key.removeprefix(old)
        return key

    return {name_of(key): value for key, value in weights.items()}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads weights by their Hugging Face names and checks their shapes."""

    weights: Weights
    layout: Layout

    def embeddings(self) -> Tensors:
        architecture, names = self.layout.architecture, self.layout.names
        width = architecture.embedding_size
        tensors: Tensors = {
            "embeddings.word.weight": self.take(
                f"{names.words}.weight", architecture.vocab_size, width
            )
        }
        if architecture.positions.absolute:
            tensors["embeddings.position.weight"] = self.positions()
        if architecture.token_types:
            rows = self.layout.types_alike or architecture.token_types
            types = self.take(f"{names.types}.weight", rows, width)
            if self.layout.types_alike:
                types = np.repeat(types[:1], architecture.token_types, 0)
            tensors["embeddings.type.weight"] = types
        if architecture.embedding_size != architecture.hidden_size:
            tensors["embeddings.projection.weight"] = self.take(
                f"{names.projection}.weight", architecture.hidden_size, architecture.embedding_size
            ).T.copy()
        return tensors | self.norm("embeddings.norm", names.norm)

    def positions(self) -> NDArray[np.float32]:
        architecture, names, first = (
            self.layout.architecture,
            self.layout.names,
            self.layout.first_position,
        )
        width = architecture.embedding_size
        rows = self.take(
            f"{names.positions}.weight", first + architecture.positions.absolute, width
        )[first:]
        if self.layout.one_type:
            return rows + self.take(f"{names.types}.weight", 1, width)
        return rows

    def layer(self, layer: int) -> Tensors:
        architecture, names = self.layout.architecture, self.layout.names
        hidden = architecture.hidden_size
        sizes = {
            "ffn.up": (hidden, architecture.inner_size),
            "ffn.down": (architecture.intermediate_size, hidden),
        }
        tensors: Tensors = {}
        for part in _LINEARS:
            weight, bias = self.product(layer, part, *sizes.get(part, (hidden, hidden)))
            tensors[f"layers.{layer}.{part}.weight"] = weight
            tensors[f"layers.{layer}.{part}.bias"] = bias
        for part, name in names.norms.items():
            if architecture.norm == "after" or layer or part != "attention.norm":
                tensors |= self.norm(f"layers.{layer}.{part}", names.in_layer(layer, name))
        return tensors

    def product(
        self, layer: int, part: str, inputs: int, outputs: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Read one product, which may be a part of a module."""
        names = self.layout.names
        parts = [one for one in _LINEARS if names.linears[one] == names.linears[part]]
        source = names.in_layer(layer, names.linears[part])
        biased = part not in names.unbiased
        weight, bias = self.linear(source, inputs, outputs * len(parts), biased=biased)
        begin = outputs * parts.index(part)
        return weight[:, begin : begin + outputs].copy(), bias[begin : begin + outputs].copy()

    def relative_tables(self) -> Tensors:
        """Project the relative-position embeddings by each layer's key and query weights."""
        architecture, names = self.layout.architecture, self.layout.names
        relative, found = architecture.positions.relative, names.relative
        if relative is None or found is None:
            return {}
        size = architecture.hidden_size
        rows = self.take(f"{found.table}.weight", 2 * relative_span(relative), size)
        if found.norm:
            norm = self.norm("norm", found.norm)
            rows = layer_norm(
                rows, norm["norm.weight"], norm["norm.bias"], architecture.norm_epsilon
            )
        kinds = {"key": ("c2p", found.key), "query": ("p2c", found.query)}
        tensors: Tensors = {}
        for layer in range(architecture.layers):
            for kind, (term, name) in kinds.items():
                if term in relative.terms:
                    weight, bias = self.linear(names.in_layer(layer, name), size, size)
                    tensors[f"layers.{layer}.relative.{kind}.weight"] = rows @ weight + bias
        return tensors

    def cosine(self) -> Tensors:
        """Read what a model has beside its head that compares two texts."""
        return {"cosine.scale": self.take("scale").reshape(1)}

    def head(self) -> Tensors:
        hidden, names = self.layout.architecture.hidden_size, self.layout.names
        if self.layout.architecture.head.kind == "steps":
            return self.head_steps()
        return self.classifier(hidden) | {
            "pooler.weight": self.take(f"{names.pooler}.weight", hidden, hidden),
            "pooler.bias": self.take(f"{names.pooler}.bias", hidden),
        }

    def classifier(self, inputs: int) -> Tensors:
        names, relevant = self.layout.names, self.layout.relevant
        outputs = 1 if relevant is None else 2
        weight = self.take(f"{names.classifier}.weight", outputs, inputs)
        biased = "classifier" not in names.unbiased
        bias = self.bias(names.classifier, outputs, biased=biased)
        if self.layout.architecture.segments:
            bias = bias + self.take("bias")
        if relevant is not None:
            weight, bias = difference(weight, relevant), difference(bias, relevant)
        return {"classifier.weight": weight, "classifier.bias": bias}

    def head_steps(self) -> Tensors:
        architecture, names = self.layout.architecture, self.layout.names
        tensors: Tensors = {}
        size = architecture.hidden_size
        for number, step in enumerate(architecture.head.steps):
            name, source = f"head.{number}", names.head[number]
            biased = name not in names.unbiased
            if isinstance(step, DenseStep):
                tensors[f"{name}.weight"] = self.take(f"{source}.weight", step.outputs, size)
                size = step.outputs
                tensors[f"{name}.bias"] = self.bias(source, size, biased=biased)
            else:
                tensors |= self.norm(name, source, size, biased=biased)
        return tensors | self.classifier(size)

    def norm(
        self, name: str, source: str, size: int | None = None, *, biased: bool | None = None
    ) -> Tensors:
        size = size or self.layout.architecture.hidden_size
        biased = "norm" not in self.layout.names.unbiased if biased is None else biased
        return {
            f"{name}.weight": self.take(f"{source}.weight", size),
            f"{name}.bias": self.bias(source, size, biased=biased),
        }

    def linear(
        self, source: str, inputs: int, outputs: int, *, biased: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        weight = self.take(f"{source}.weight", outputs, inputs)
        return weight.T.copy(), self.bias(source, outputs, biased=biased)

    def bias(self, source: str, size: int, *, biased: bool) -> NDArray[np.float32]:
        """Read a bias; what has none gets zeros, so that an engine has one way."""
        return self.take(f"{source}.bias", size) if biased else np.zeros(size, np.float32)

    def take(self, key: str, *shape: int) -> NDArray[np.float32]:
        if key not in self.weights:
            raise CheckpointError(
                why_missing(self.layout.in_checkpoint(key), self.weights, self.layout.names)
            )
        found = self.weights[key]
        if found.shape != shape:
            raise CheckpointError(
                f"the weight {self.layout.in_checkpoint(key)} has the shape {list(found.shape)}, "
                f"but config.json asks for {list(shape)}"
            )
        return found
