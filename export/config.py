"""The checkpoint's configuration: read, checked, and turned into an architecture.

The defaults are those of transformers' ``DebertaV2Config``; a member that is absent means the
same here as there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_rerank.artifact.manifest import Architecture

from .errors import CheckpointError

SUPPORTED = "DebertaV2ForSequenceClassification"
ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
POOLER_ACTIVATIONS = (*ACTIVATIONS, "tanh")


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json``; raises CheckpointError when it is missing or not a JSON object."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder}: has no config.json, so it is not a Hugging Face checkpoint"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: holds {type(config).__name__}, expected a JSON object")
    return config


def read_architecture(config: Mapping[str, Any], where: str) -> Architecture:
    """Describe the model that ``config`` asks for.

    Raises CheckpointError for another architecture, a head that does not give one logit, and any
    setting that the graph builder does not know.
    """
    _check_kind(config, where)
    hidden = _whole(config, "hidden_size", 1536, where)
    heads = _whole(config, "num_attention_heads", 24, where)
    head_size = _whole(config, "attention_head_size", hidden // heads, where)
    if head_size * heads != hidden:
        raise CheckpointError(
            f"{where}: {heads} heads of {head_size} do not make hidden_size {hidden}"
        )
    return Architecture(
        layers=_whole(config, "num_hidden_layers", 24, where),
        hidden_size=hidden,
        heads=heads,
        head_size=head_size,
        intermediate_size=_whole(config, "intermediate_size", 6144, where),
        vocab_size=_whole(config, "vocab_size", 128100, where),
        position_buckets=_unset_or_whole(config, "position_buckets", where),
        max_relative_positions=_unset_or_whole(config, "max_relative_positions", where),
        max_position_embeddings=_whole(config, "max_position_embeddings", 512, where),
        relative_attention=bool(config.get("relative_attention", False)),
        pos_att_type=_position_terms(config, where),
        share_att_key=bool(config.get("share_att_key", False)),
        norm_rel_ebd=_relative_norm(config, where),
        position_biased_input=bool(config.get("position_biased_input", True)),
        type_vocab_size=_whole(config, "type_vocab_size", 0, where, least=0),
        hidden_act=_choice(config, "hidden_act", "gelu", ACTIVATIONS, where),
        pooler_hidden_act=_choice(config, "pooler_hidden_act", "gelu", POOLER_ACTIVATIONS, where),
        layer_norm_eps=float(config.get("layer_norm_eps", 1e-7)),
        pad_token_id=_whole(config, "pad_token_id", 0, where, least=0),
        embedding_size=_whole(config, "embedding_size", hidden, where),
    )


def relative_span(architecture: Architecture) -> int:
    """Give half the rows of the relative-embedding table: the furthest bucket, in either way."""
    if architecture.position_buckets > 0:
        return architecture.position_buckets
    return relative_limit(architecture)


def relative_limit(architecture: Architecture) -> int:
    """Give the distance, in tokens, at which the logarithmic buckets end."""
    if architecture.max_relative_positions > 0:
        return architecture.max_relative_positions
    return architecture.max_position_embeddings


def _check_kind(config: Mapping[str, Any], where: str) -> None:
    kind, names = config.get("model_type"), config.get("architectures") or []
    if kind != "deberta-v2" or (names and SUPPORTED not in names):
        raise CheckpointError(
            f"{where}: the model is {names or kind!r}; edge-rerank exports {SUPPORTED} "
            "(model_type 'deberta-v2': DeBERTa-v2 and v3 cross-encoders)"
        )
    labels = config.get("num_labels", len(config.get("id2label") or {}) or 2)
    if labels != 1:
        raise CheckpointError(
            f"{where}: the head gives {labels} logits; a reranker gives one (num_labels 1). "
            "A classifier with several labels cannot be exported"
        )
    if config.get("quantization_config"):
        raise CheckpointError(
            f"{where}: has a quantization_config: the checkpoint is quantised already; export the "
            "one that it was made from"
        )
    if config.get("conv_kernel_size", 0):
        raise CheckpointError(
            f"{where}: conv_kernel_size is {config['conv_kernel_size']}; models with a "
            "convolution layer (deberta-v2-xlarge) are not supported"
        )


def _position_terms(config: Mapping[str, Any], where: str) -> tuple[str, ...]:
    value = config.get("pos_att_type") or []
    terms = value.split("|") if isinstance(value, str) else list(value)
    terms = [term.strip().lower() for term in terms]
    if unknown := sorted(set(terms) - {"c2p", "p2c"}):
        raise CheckpointError(f"{where}: pos_att_type has {unknown}; known are c2p and p2c")
    return tuple(terms)


def _relative_norm(config: Mapping[str, Any], where: str) -> str:
    value = config.get("norm_rel_ebd", "none")
    if value not in ("none", "layer_norm"):
        raise CheckpointError(
            f"{where}: norm_rel_ebd is {value!r}; known are 'none' and 'layer_norm'"
        )
    return str(value)


def _whole(
    config: Mapping[str, Any], name: str, default: int, where: str, *, least: int = 1
) -> int:
    value = config.get(name)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise CheckpointError(f"{where}: {name} is {value!r}; expected a whole number >= {least}")
    return value


def _unset_or_whole(config: Mapping[str, Any], name: str, where: str) -> int:
    """Read a count for which transformers takes anything below 1 as unset."""
    value = config.get(name, -1)
    if not isinstance(value, int) or isinstance(value, bool):
        raise CheckpointError(f"{where}: {name} is {value!r}; expected a whole number")
    return value if value > 0 else -1


def _choice(
    config: Mapping[str, Any], name: str, default: str, known: tuple[str, ...], where: str
) -> str:
    value = config.get(name, default)
    if value not in known:
        raise CheckpointError(f"{where}: {name} is {value!r}; known are {', '.join(known)}")
    return str(value)
