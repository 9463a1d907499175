"""Words to write JSON schemas with."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def record(required: str, **properties: Schema) -> Schema:
    """Return the schema of an object with these properties, some of them required."""
    return {"type": "object", "required": required.split(), "properties": properties}


def array(items: Schema, **bounds: int) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, **bounds}
