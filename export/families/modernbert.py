"""ModernBERT (Warner et al., 2024): norms before, rotary positions, local attention, gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_rerank.artifact.architecture import (
    Architecture,
    DenseStep,
    FeedForward,
    Head,
    LocalAttention,
    NormStep,
    Positions,
    RotaryPositions,
)

from ..config import ACTIVATIONS, Config
from ..errors import CheckpointError
from .family import Family, Layout, TensorNames

_NAME, _CLASS = "modernbert", "ModernBertForSequenceClassification"
_FULL, _LOCAL = "full_attention", "sliding_attention"
_POOLING = {"cls": "first", "mean": "mean"}


def _read(config: Config) -> Layout:
    """The defaults are those of transformers' ``ModernBertConfig``."""
    if config.members.get("rope_scaling"):
        raise CheckpointError(
            f"{config.where}: rope_scaling is {config.members['rope_scaling']!r}; known is none"
        )
    layers = config.whole("num_hidden_layers", 22)
    hidden = config.whole("hidden_size", 768)
    heads = config.whole("num_attention_heads", 12)
    head_size = config.head_size(hidden, heads)
    if head_size % 2:
        raise CheckpointError(
            f"{config.where}: {heads} heads of hidden_size {hidden} are {head_size} wide; expected "
            "an even number, since rotary positions turn two halves"
        )
    every, rotary = _global_every(config, layers), _rotary(config)
    longest = config.whole("max_position_embeddings", 8192)
    epsilon = config.number("norm_eps", 1e-5)
    local = tuple(layer for layer in range(layers) if layer % every)
    reach = config.whole("local_attention", 128, least=2) // 2
    architecture = Architecture(
        family=_NAME,
        layers=layers,
        hidden_size=hidden,
        heads=heads,
        head_size=head_size,
        intermediate_size=config.whole("intermediate_size", 1152),
        vocab_size=config.whole("vocab_size", 50368),
        embedding_size=hidden,
        token_types=0,
        pad_token_id=config.whole("pad_token_id", 50283, least=0),
        norm="before",
        norm_epsilon=epsilon,
        score_terms=1,
        positions=Positions(absolute=0, relative=None, rotary=rotary),
        feed_forward=FeedForward("gated", config.choice("hidden_activation", "gelu", ACTIVATIONS)),
        head=_head(config, hidden, epsilon),
        local_attention=LocalAttention(reach, local) if local else None,
    )
    settings = {
        "global_attn_every_n_layers": every,
        "global_rope_theta": rotary.base,
        "local_rope_theta": rotary.local_base,
    }
    return Layout(architecture, _names(config), _CLASS, longest, settings=settings, own_graph=True)


def _head(config: Config, hidden: int, epsilon: float) -> Head:
    pooling = config.choice("classifier_pooling", "cls", tuple(_POOLING))
    activation = config.choice("classifier_activation", "gelu", (*ACTIVATIONS, "tanh"))
    steps = (DenseStep(hidden, activation), NormStep(epsilon))
    return Head("steps", steps, _POOLING[pooling])


def _global_every(config: Config, layers: int) -> int:
    """Return how often attention is global; ``layer_types`` says the same in newer files."""
    every = config.whole("global_attn_every_n_layers", 3)
    types = config.members.get("layer_types")
    if types is None:
        return every
    numbers: list[int] = [every, *range(1, layers + 1)]
    for number in numbers:
        if types == [_LOCAL if layer % number else _FULL for layer in range(layers)]:
            return number
    raise CheckpointError(
        f"{config.where}: layer_types is {types!r}; known is {_FULL} in the first layer and at "
        f"equal distances behind it, and {_LOCAL} elsewhere, for {layers} layers"
    )


def _rotary(config: Config) -> RotaryPositions:
    base = config.number("global_rope_theta", config.number("rope_theta", 160000.0))
    local: float | None = 10000.0
    if "local_rope_theta" in config.members:
        value = config.members["local_rope_theta"]
        local = None if value is None else config.number("local_rope_theta", 10000.0)
    parameters = config.members.get("rope_parameters") or {}
    if not isinstance(parameters, Mapping):
        raise CheckpointError(f"{config.where}: rope_parameters is {parameters!r}; not an object")
    base = _base(config, parameters.get(_FULL), base)
    local = _base(config, parameters.get(_LOCAL), base if local is None else local)
    return RotaryPositions(base, local)


def _base(config: Config, parameters: Any, default: float) -> float:
    where = f"{config.where}: rope_parameters"
    if parameters is None:
        value = default
    else:
        members = Config(parameters if isinstance(parameters, Mapping) else {}, where)
        members.choice("rope_type", "default", ("default",))
        value = members.number("rope_theta", default)
    if not 1 <= value < 1e30:
        raise CheckpointError(f"{where}: the base of rotary positions is {value}; expected >= 1")
    return value


def _names(config: Config) -> TensorNames:
    attention = ("attention.query", "attention.key", "attention.value", "attention.output")
    unbiased = {
        "attention_bias": attention,
        "mlp_bias": ("ffn.up", "ffn.down"),
        "norm_bias": ("norm", "head.1"),
        "classifier_bias": ("head.0",),
    }
    return TensorNames(
        encoder="model.",
        words="model.embeddings.tok_embeddings",
        positions="",
        types="",
        projection=None,
        norm="model.embeddings.norm",
        layer="model.layers.{layer}",
        linears={
            **dict.fromkeys(attention[:3], "attn.Wqkv"),
            "attention.output": "attn.Wo",
            "ffn.up": "mlp.Wi",
            "ffn.down": "mlp.Wo",
        },
        norms={"attention.norm": "attn_norm", "ffn.norm": "mlp_norm"},
        final_norm="model.final_norm",
        pooler="head",
        head=("head.dense", "head.norm"),
        classifier="classifier",
        unbiased=frozenset(
            part
            for member, parts in unbiased.items()
            if not config.members.get(member, False)
            for part in parts
        ),
    )


MODERNBERT = Family(_NAME, "ModernBERT", _CLASS, _read)
