"""Facts as a person reads them: headings, and aligned lines of name and value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def print_section(title: str, values: Mapping[str, Any]) -> None:
    """Print a heading and lines, aligned; an empty section not at all."""
    if not values:
        return
    print(f"{title}:")
    width = max(len(key) for key in values)
    for key, value in values.items():
        print(f"  {key:<{width}}  {readable_value(value)}")


def readable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same values, their names with blanks."""
    return {key.replace("_", " "): value for key, value in values.items()}


def readable_value(value: object) -> str:
    """Return a JSON value as a person reads it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        return ", ".join(
            f"{key.replace('_', ' ')} {readable_value(item)}" for key, item in value.items()
        )
    return json.dumps(value, ensure_ascii=False)
