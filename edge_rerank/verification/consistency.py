"""Whether an artifact's files agree with one another; what a manifest edited by hand breaks.

Checksums say that the files are those the manifest lists. Nothing vouches for the manifest: what
it claims is compared here with the files that it describes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edge_rerank.artifact.fields import Fields, read_json
from edge_rerank.artifact.folder import Artifact, Probe
from edge_rerank.artifact.manifest import Manifest
from edge_rerank.errors import shown
from edge_rerank.parity.agreement import spread
from edge_rerank.parity.limits import RECORDED, RecordedParity

WEIGHTS = "model.safetensors"
_CONFIG_LIMIT = 4 * 1024 * 1024
_HEADER_LIMIT = 100_000_000  # the format's own
_CONFIG_NAMES = {"layers": "num_hidden_layers", "heads": "num_attention_heads"}
_UNSET_BELOW_ONE = ("position_buckets", "max_relative_positions")


def config_conflicts(artifact: Artifact) -> list[str]:
    """Say where ``config.json`` and the manifest's architecture differ; empty when nowhere.

    Members that the configuration leaves out mean transformers' defaults and are not compared.
    Raises ManifestError when it is no JSON object.
    """
    path = artifact.file("config.json")
    config = Fields.of(read_json(path, limit=_CONFIG_LIMIT), str(path)).value
    return list(_conflicts(asdict(artifact.manifest.architecture), config))


def _conflicts(architecture: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    for name, value in architecture.items():
        key = _CONFIG_NAMES.get(name, name)
        if config.get(key) is not None:
            found = _normal(key, config[key])
            if found != value:
                yield f"{key} is {shown(found)} in config.json, {shown(value)} in the manifest"


def _normal(key: str, value: Any) -> Any:
    """Give a member of the configuration as the exporter records it."""
    if key == "pos_att_type":
        terms = value.split("|") if isinstance(value, str) else value
        return tuple(str(term).strip().lower() for term in terms)
    if key in _UNSET_BELOW_ONE and isinstance(value, int):
        return value if value > 0 else -1
    return value


def weights_conflicts(artifact: Artifact) -> list[str]:
    """Say where the weights file's header and its size differ; empty when nowhere.

    The header of a safetensors file is a length (8 bytes, little-endian) and as many bytes of
    JSON: for each tensor, from which byte after the header to which it lies.
    """
    if WEIGHTS not in artifact.manifest.files:
        return []
    path = artifact.file(WEIGHTS)
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, _HEADER_LIMIT)))
        ends = {name: it["data_offsets"][1] for name, it in header.items() if name[:2] != "__"}
        last = max(ends, key=ends.__getitem__)
        needed = 8 + length + int(ends[last])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        return [f"the header of {WEIGHTS} cannot be read: {error}"]
    if needed == size:
        return []
    return [f"{WEIGHTS} has {size:,} bytes, and {last} ends at byte {needed:,}"]


def parity_conflicts(manifest: Manifest, probes: Sequence[Probe]) -> list[str]:
    """Say where the manifest's parity figures are not about these probes; empty when nowhere.

    An fp32 artifact records no parity over its probes.
    """
    if manifest.precision == "fp32":
        return []
    recorded = RecordedParity.of(manifest)
    if recorded is None:
        return [f"the manifest's parity has no usable {RECORDED!r}"]
    conflicts = []
    if recorded.pairs != len(probes):
        conflicts.append(f"the manifest is about {recorded.pairs:g} probes, not {len(probes)}")
    sigma = spread([probe.logit for probe in probes]) if probes else 0.0
    if not math.isclose(recorded.sigma, sigma, rel_tol=1e-4):
        conflicts.append(
            f"sigma is {recorded.sigma:.5g} in the manifest, {sigma:.5g} of the probes"
        )
    if recorded.rms_error > recorded.max_error:
        conflicts.append("the recorded rms error is above the largest error")
    return conflicts
