"""What the exporter has to know of a model family, and of one checkpoint of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_rerank.artifact.architecture import Architecture

from ..config import Config
from ..modules import HeadModules


@dataclass(frozen=True, slots=True)
class RelativeNames:
    """Where a model keeps what its tables of relative positions are computed of."""

    table: str
    norm: str | None
    """The norm that the table's rows go through first."""
    key: str
    """Within a layer, the product that makes rows into what queries meet; ``query`` likewise."""
    query: str


@dataclass(frozen=True, slots=True)
class TensorNames:
    """The names of modules in transformers' model, under the artifact's names for them."""

    encoder: str
    """Prefix of all but the head."""
    words: str
    positions: str
    types: str
    projection: str | None
    """The product that widens embeddings, in families that may have it."""
    norm: str
    """Of the embeddings."""
    layer: str
    """Prefix of one layer, with ``{layer}`` for its number."""
    linears: Mapping[str, str]
    """Within a layer. Products of one name are one module, whose outputs lie one behind the other.
    """
    norms: Mapping[str, str]
    """Within a layer."""
    pooler: str
    classifier: str
    relative: RelativeNames | None = None
    final_norm: str = ""
    """Behind the last layer, in models that have one there."""
    head: tuple[str, ...] = ()
    """The head's steps, in heads of that kind."""
    unbiased: frozenset[str] = frozenset()
    """What has no bias: products of a layer, ``norm`` for all norms, ``head.N``, ``classifier``."""

    def in_layer(self, layer: int | str, name: str) -> str:
        """Return the full name of a module within a layer."""
        return f"{self.layer.format(layer=layer)}.{name}"

    def linear(self, product: str) -> str:
        """Return the name of the module that computes a product, ``layers.N.PART``."""
        _, layer, part = product.split(".", 2)
        return self.in_layer(layer, self.linears[part])


@dataclass(frozen=True, slots=True)
class Layout:
    """One checkpoint: its shape, and under which names its tensors lie in it."""

    architecture: Architecture
    names: TensorNames
    model_class: str
    """transformers' class."""
    longest: int
    """Most tokens of a pair that the model has positions for."""
    first_position: int = 0
    """Row of the first token's position in the checkpoint's table; those before it are left out."""
    relevant: int | None = None
    """Which of a head's two outputs means relevant; None for a head of one output."""
    one_type: bool = False
    """Whether all tokens are of one type, whose row is added to the positions at export."""
    types_alike: int = 0
    """Rows of the checkpoint's table of types, where all tokens have the first of them and the
    architecture's types tell a pair's texts apart and nothing else; 0: the table is used as it is.
    """
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Beginnings of weights' names in the checkpoint, and what ``names`` has in their place."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Members of the configuration that transformers is to take instead of the file's own, which
    may say the same in the words of another release."""
    modules: HeadModules | None = None
    """The head, where it is not the transformer's own; ``model_class`` is then an encoder's."""
    own_graph: bool = False
    """Whether the fp32 graph is written here: Optimum's would take memory by the square of the
    length."""

    def in_checkpoint(self, name: str) -> str:
        """Return the name in the checkpoint of a weight that goes by another here."""
        for old, new in self.renamed.items():
            if name.startswith(new):
                return old + name.removeprefix(new)
        return name


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of model that can be exported."""

    name: str
    """``model_type`` of its configurations."""
    title: str
    model_class: str
    """The class of transformers that its cross-encoders have."""
    read: Callable[[Config], Layout]
    """Describes a checkpoint; raises CheckpointError for a configuration that is not known."""
    own_head: bool = False
    """Whether its head always gives one logit, and is described by the family alone."""
