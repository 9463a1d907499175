"""DeBERTa-v2 and v3: relative positions that keys and queries meet (He et al., 2021)."""

from __future__ import annotations

from edge_rerank.artifact.architecture import (
    TERMS,
    Architecture,
    FeedForward,
    Head,
    Positions,
    RelativePositions,
)

from ..config import ACTIVATIONS, Config
from ..errors import CheckpointError
from .family import Family, Layout, RelativeNames, TensorNames

_NAME, _CLASS = "deberta-v2", "DebertaV2ForSequenceClassification"


def _read(config: Config) -> Layout:
    """The defaults are those of transformers' ``DebertaV2Config``."""
    if kernel := config.members.get("conv_kernel_size", 0):
        raise CheckpointError(
            f"{config.where}: conv_kernel_size is {kernel}; models with a convolution layer "
            "(deberta-v2-xlarge) are not supported"
        )
    longest = config.whole("max_position_embeddings", 512)
    hidden = config.whole("hidden_size", 1536)
    heads = config.whole("num_attention_heads", 24)
    terms = _terms(config)
    architecture = Architecture(
        family=_NAME,
        layers=config.whole("num_hidden_layers", 24),
        hidden_size=hidden,
        heads=heads,
        head_size=config.head_size(hidden, heads),
        intermediate_size=config.whole("intermediate_size", 6144),
        vocab_size=config.whole("vocab_size", 128100),
        embedding_size=config.whole("embedding_size", hidden),
        token_types=config.whole("type_vocab_size", 0, least=0),
        pad_token_id=config.whole("pad_token_id", 0, least=0),
        norm="after",
        norm_epsilon=config.number("layer_norm_eps", 1e-7),
        # transformers scales by the number of terms asked for, even where none is computed.
        score_terms=1 + len(terms),
        positions=Positions(
            absolute=longest if config.members.get("position_biased_input", True) else 0,
            relative=_relative(config, terms, longest),
        ),
        feed_forward=FeedForward("plain", config.choice("hidden_act", "gelu", ACTIVATIONS)),
        head=Head.dense(hidden, config.choice("pooler_hidden_act", "gelu", (*ACTIVATIONS, "tanh"))),
    )
    return Layout(architecture, _names(config), _CLASS, longest)


def _relative(config: Config, terms: tuple[str, ...], longest: int) -> RelativePositions | None:
    if not (config.members.get("relative_attention", False) and terms):
        return None
    return RelativePositions(
        terms=terms,
        buckets=config.count_or_unset("position_buckets"),
        furthest=config.count_or_unset("max_relative_positions") or longest,
    )


def _terms(config: Config) -> tuple[str, ...]:
    value = config.members.get("pos_att_type") or []
    terms = value.split("|") if isinstance(value, str) else list(value)
    terms = [str(term).strip().lower() for term in terms]
    if unknown := sorted(set(terms) - set(TERMS)):
        raise CheckpointError(
            f"{config.where}: pos_att_type has {unknown}; known are {' and '.join(TERMS)}"
        )
    return tuple(dict.fromkeys(terms))


def _names(config: Config) -> TensorNames:
    norm = config.choice("norm_rel_ebd", "none", ("none", "layer_norm"))
    kind = "" if config.members.get("share_att_key", False) else "pos_"
    return TensorNames(
        encoder="deberta.",
        words="deberta.embeddings.word_embeddings",
        positions="deberta.embeddings.position_embeddings",
        types="deberta.embeddings.token_type_embeddings",
        projection="deberta.embeddings.embed_proj",
        norm="deberta.embeddings.LayerNorm",
        layer="deberta.encoder.layer.{layer}",
        linears={
            "attention.query": "attention.self.query_proj",
            "attention.key": "attention.self.key_proj",
            "attention.value": "attention.self.value_proj",
            "attention.output": "attention.output.dense",
            "ffn.up": "intermediate.dense",
            "ffn.down": "output.dense",
        },
        norms={"attention.norm": "attention.output.LayerNorm", "ffn.norm": "output.LayerNorm"},
        pooler="pooler.dense",
        classifier="classifier",
        relative=RelativeNames(
            table="deberta.encoder.rel_embeddings",
            norm="deberta.encoder.LayerNorm" if norm == "layer_norm" else None,
            key=f"attention.self.{kind}key_proj",
            query=f"attention.self.{kind}query_proj",
        ),
    )


DEBERTA_V2 = Family(_NAME, "DeBERTa-v2 and v3", _CLASS, _read)
