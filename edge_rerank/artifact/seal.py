"""The manifest's checksum of itself: its member ``sha256``, over all that it says otherwise.

It is taken over the values, not the bytes, so that spaces and the order of members do not matter:
the JSON of the manifest without the member ``sha256``, in ASCII, members sorted by name, no spaces,
numbers as Python writes them (the shortest form that reads back the same).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from edge_rerank.errors import ManifestError

MEMBER = "sha256"


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest's JSON object with its checksum; raises ManifestError if it is not JSON."""
    return {**_rest(value), MEMBER: _sha256(value)}


def seal_holds(value: Mapping[str, Any]) -> bool | None:
    """Compare a manifest with its checksum; None where it has none, as those of older releases."""
    return value[MEMBER] == _sha256(value) if MEMBER in value else None


def _rest(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in value.items() if name != MEMBER}


def _sha256(value: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(_rest(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ManifestError(f"the manifest cannot be written as JSON: {error}") from error
    return hashlib.sha256(text.encode("ascii")).hexdigest()
