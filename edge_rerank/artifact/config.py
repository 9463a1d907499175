"""Where ``config.json`` and the manifest's architecture differ: one of the two was altered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_rerank.artifact.fields import Fields, read_json
from edge_rerank.artifact.manifest import Architecture
from edge_rerank.errors import shown

_LIMIT = 4 * 1024 * 1024
_NAMES = {
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "head_size": "attention_head_size",
}
_UNSET_BELOW_ONE = ("position_buckets", "max_relative_positions")


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
    for name, value in asdict(architecture).items():
        key = _NAMES.get(name, name)
        if config.get(key) is not None:
            found = _normal(key, config[key])
            if found != value:
                yield f"{key} is {shown(found)} in config.json, {shown(value)} in the manifest"


def _normal(key: str, value: Any) -> Any:
    """Return a member of the configuration as the exporter records it."""
    if key == "pos_att_type":
        terms = value.split("|") if isinstance(value, str) else value
        if not isinstance(terms, list):
            return value
        return tuple(str(term).strip().lower() for term in terms)
    if key in _UNSET_BELOW_ONE and isinstance(value, int):
        return value if value > 0 else -1
    return value
