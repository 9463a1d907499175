"""The checkpoint's configuration: read, and its members checked one by one.

A member that is absent means what it means to transformers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from .errors import CheckpointError

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
"""Activation functions of the layers that the engines know."""


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
    # Where the checkpoint lay on the machine of whoever saved it: nothing that is passed on.
    config.pop("_name_or_path", None)
    return config


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration; what is taken out is checked. All raise CheckpointError."""

    members: Mapping[str, Any]
    where: str
    """Names it in errors."""

    def whole(self, name: str, default: int, *, least: int = 1) -> int:
        """Return a whole number of at least ``least``."""
        value = self.members.get(name)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self._refuse(name, value, f"expected a whole number >= {least}")
        return value

    def count_or_unset(self, name: str) -> int:
        """Return a count for which transformers takes anything below 1 as unset: 0 then."""
        value = self.members.get(name, -1)
        if not isinstance(value, int) or isinstance(value, bool):
            self._refuse(name, value, "expected a whole number")
        return max(0, value)

    def number(self, name: str, default: float) -> float:
        """Return a number."""
        value = self.members.get(name, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self._refuse(name, value, "expected a number")
        return float(value)

    def choice(self, name: str, default: str, known: tuple[str, ...]) -> str:
        """Return one of some names."""
        value = self.members.get(name, default)
        if value not in known:
            self._refuse(name, value, f"known are {', '.join(known)}")
        return str(value)

    def head_size(self, hidden: int, heads: int) -> int:
        """Return the size of a head: the heads side by side are as wide as the model."""
        size = self.whole("attention_head_size", hidden // heads)
        if size * heads != hidden:
            raise CheckpointError(
                f"{self.where}: {heads} heads of {size} do not make hidden_size {hidden}"
            )
        return size

    def _refuse(self, name: str, value: object, expected: str) -> NoReturn:
        raise CheckpointError(f"{self.where}: {name} is {value!r}; {expected}")
