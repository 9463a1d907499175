"""Where ``config.json`` and the manifest's architecture differ: one of the two was altered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_rerank.artifact.architecture import TERMS, Architecture
from edge_rerank.artifact.fields import Fields, read_json
from edge_rerank.errors import shown

_LIMIT = 4 * 1024 * 1024
_Members = dict[str, Any]
"""What a configuration has to say under its own names, where it says it."""


def config_conflicts(path: Path, architecture: Architecture) -> list[str]:
    """Say where the configuration at ``path`` and the architecture differ; empty when nowhere.

    Members that the configuration leaves out mean transformers' defaults and are not compared.
    Raises ManifestError when it is not a JSON object.
    """
    config = Fields.of(read_json(path, limit=_LIMIT), str(path)).value
    return list(conflicts(config, architecture))


def conflicts(config: Mapping[str, Any], architecture: Architecture) -> Iterator[str]:
    """The same for a configuration that has been read."""
    if config.get("embedding_size") is None:
        config = {**config, "embedding_size": config.get("hidden_size")}
    expected = _common(architecture) | _OF_FAMILY[architecture.family](architecture, config)
    for key, value in expected.items():
        if value is not None and config.get(key) is not None:
            found = _normal(key, config[key])
            if found != value:
                yield f"{key} is {shown(found)} in config.json, {shown(value)} in the manifest"


def _common(architecture: Architecture) -> _Members:
    return {
        "model_type": architecture.family,
        "num_hidden_layers": architecture.layers,
        "hidden_size": architecture.hidden_size,
        "num_attention_heads": architecture.heads,
        "intermediate_size": architecture.intermediate_size,
        "vocab_size": architecture.vocab_size,
        "embedding_size": architecture.embedding_size,
        "pad_token_id": architecture.pad_token_id,
        "layer_norm_eps": architecture.norm_epsilon,
        "hidden_act": architecture.feed_forward.activation,
    }


def _deberta(architecture: Architecture, config: Mapping[str, Any]) -> _Members:
    absolute, relative = architecture.positions.absolute, architecture.positions.relative
    members: _Members = {
        "attention_head_size": architecture.head_size,
        "type_vocab_size": architecture.token_types,
        "pooler_hidden_act": architecture.head.activation,
        "position_biased_input": absolute > 0,
    }
    if absolute:
        members["max_position_embeddings"] = absolute
    if relative is None:
        return members
    stated = _normal("max_relative_positions", config.get("max_relative_positions"))
    unset = stated in (None, -1)
    furthest = "max_position_embeddings" if unset else "max_relative_positions"
    members |= {
        "relative_attention": True,
        "pos_att_type": _ordered(relative.terms),
        "position_buckets": relative.buckets or -1,
        furthest: relative.furthest,
    }
    return members


def _bert(architecture: Architecture, config: Mapping[str, Any]) -> _Members:
    return {
        "type_vocab_size": architecture.token_types,
        "max_position_embeddings": architecture.positions.absolute,
        "position_embedding_type": "absolute",
    }


def _roberta(architecture: Architecture, config: Mapping[str, Any]) -> _Members:
    """Positions begin behind the padding's, and the one row of token types is among them."""
    behind = architecture.pad_token_id + 1
    return {
        "type_vocab_size": 1,
        "max_position_embeddings": behind + architecture.positions.absolute,
        "position_embedding_type": "absolute",
    }


def _segment_bert(architecture: Architecture, config: Mapping[str, Any]) -> _Members:
    """All tokens have the first type of its table, of whatever size that is."""
    encoding = architecture.encoding_layers
    return {
        "num_hidden_layers": encoding,
        "correction_layers": architecture.layers - encoding,
        "correction_norm_eps": architecture.epsilon_of(encoding),
        "max_position_embeddings": architecture.positions.absolute,
        "position_embedding_type": "absolute",
    }


def _modernbert(architecture: Architecture, config: Mapping[str, Any]) -> _Members:
    """Newer files say in ``layer_types`` and ``rope_parameters`` what older ones say in numbers."""
    local, rotary = architecture.local_attention, architecture.positions.rotary
    numbers = range(architecture.layers)
    types = ["sliding_attention" if architecture.is_local(n) else "full_attention" for n in numbers]
    every = config.get("global_attn_every_n_layers")
    like = isinstance(every, int) and every > 0 and [n % every > 0 for n in numbers]
    pattern = [architecture.is_local(n) for n in numbers]
    stated = "layer_types" in config
    members: _Members = {
        **dict.fromkeys(("hidden_act", "layer_norm_eps")),  # left over in files; not read
        "hidden_activation": architecture.feed_forward.activation,
        "norm_eps": architecture.norm_epsilon,
        "layer_types": types,
        "global_attn_every_n_layers": every if stated or like == pattern else pattern,
        "local_attention": 2 * local.reach if local else None,
    }
    if rotary and "rope_parameters" in config:
        bases = {"full_attention": rotary.base, "sliding_attention": rotary.local_base}
        members["rope_parameters"] = {
            kind: bases[kind] for kind in _normal("rope_parameters", config["rope_parameters"])
        }
    elif rotary:
        members["global_rope_theta"] = rotary.base
        members["local_rope_theta"] = rotary.local_base
    return members


_OF_FAMILY: Mapping[str, Callable[[Architecture, Mapping[str, Any]], _Members]] = {
    "deberta-v2": _deberta,
    "bert": _bert,
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "modernbert": _modernbert,
    "segment-bert": _segment_bert,
}


def _normal(key: str, value: Any) -> Any:
    """Return a member of the configuration in one of the ways in which it may be written."""
    if key == "pos_att_type":
        terms = value.split("|") if isinstance(value, str) else value
        if not isinstance(terms, list):
            return value
        return _ordered(tuple(str(term).strip().lower() for term in terms))
    if key in ("position_buckets", "max_relative_positions") and isinstance(value, int):
        return value if value > 0 else -1
    if key == "local_attention" and isinstance(value, int):
        return value // 2 * 2  # half of it to each side
    if key == "rope_parameters" and isinstance(value, dict):
        kinds = ("full_attention", "sliding_attention")
        known = {kind: value[kind] for kind in kinds if isinstance(value.get(kind), dict)}
        return {kind: base["rope_theta"] for kind, base in known.items() if "rope_theta" in base}
    return value


def _ordered(terms: tuple[str, ...]) -> tuple[str, ...]:
    """Return terms in one order, each once; what is not known comes last."""
    return tuple(sorted(set(terms), key=lambda term: ([*TERMS, term].index(term), term)))
