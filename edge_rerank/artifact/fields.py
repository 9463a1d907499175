"""Strict reading of JSON objects, and writing: complaints name the file, the key, the value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from edge_rerank.errors import ArtifactNotFoundError, ManifestError, shown
from edge_rerank.files import whole_file

JsonObject = Mapping[str, Any]
LARGEST = 3.5e38
"""No number here is larger than a float32 can be; the squares of such are still numbers."""
_MOST_DIGITS = 40
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(path: Path, *, limit: int) -> Any:
    """Parse a UTF-8 JSON file of at most ``limit`` bytes.

    Raises ArtifactNotFoundError when the file is absent or unreadable, ManifestError when it is
    too large or not strict JSON: see :func:`parse_json`.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(limit + 1)
    except OSError as error:
        raise ArtifactNotFoundError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(raw) > limit:
        raise ManifestError(f"{path}: larger than {limit} bytes, the most such a file may have")
    return parse_json(raw, str(path))


def parse_json(raw: bytes, where: str) -> Any:
    """Parse UTF-8 JSON; raises ManifestError, naming ``where``, for all that is not strict JSON.

    Refused as well: NaN and Infinity, numbers too large for a float, a member that is there twice,
    characters that no UTF-8 file can hold.
    """
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer,
            object_pairs_hook=_members,
        )
        if _SURROGATE.search(text):  # half a character is in it, or a whole one in two halves
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not valid JSON: {error}") from error
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{shown(text)} is too large a number")
    return value


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{shown(text)} is too large a number")
    return int(text)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(twice)} is there twice")
    return value


def json_text(value: Mapping[str, object], where: str) -> str:
    """Return ``value`` as indented JSON; raises ManifestError, naming ``where``, if it has none."""
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ManifestError(f"{where}: cannot be written as JSON: {error}") from error


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write ``value`` as UTF-8 JSON; the file appears whole, or not at all."""
    text = json_text(value, str(path))
    with whole_file(path) as stream:
        stream.write(text.encode("utf-8"))


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object whose members are read one by one, each checked for its type.

    Unknown members are left alone, so that a later release can add some.
    """

    value: JsonObject
    where: str

    @classmethod
    def of(cls, value: object, where: str) -> Fields:
        """Wrap ``value``, which must be a JSON object."""
        if not isinstance(value, dict):
            raise ManifestError(f"{where}: expected an object, found {shown(value)}")
        return cls(value, where)

    def fail(self, key: str, expected: str) -> NoReturn:
        """Raise the error for a member that is not what it should be."""
        if key not in self.value:
            raise ManifestError(f"{self.where}: {key!r} is missing; expected {expected}")
        found = shown(self.value[key])
        raise ManifestError(f"{self.where}: {key!r} is {found}; expected {expected}")

    def child(self, key: str) -> Fields:
        """Read an object."""
        value = self.value.get(key)
        if not isinstance(value, dict):
            self.fail(key, "an object")
        return Fields(value, f"{self.where}: {key!r}")

    def optional_child(self, key: str) -> Fields | None:
        """Read an object or null; the key itself must be there."""
        if key in self.value and self.value[key] is None:
            return None
        return self.child(key)

    def later_child(self, key: str) -> Fields | None:
        """Read an object or null, which earlier releases did not write: absent is null."""
        return None if self.value.get(key) is None else self.child(key)

    def children(self, key: str, *, most: int) -> tuple[Fields, ...]:
        """Read a list of at most ``most`` objects."""
        value = self.value.get(key)
        if not isinstance(value, list) or len(value) > most:
            self.fail(key, f"a list of at most {most} objects")
        return tuple(Fields.of(item, f"{self.where}: {key!r}") for item in value)

    def text(self, key: str) -> str:
        """Read a string that is not empty."""
        value = self.value.get(key)
        if not isinstance(value, str) or not value:
            self.fail(key, "a string that is not empty")
        return value

    def optional_text(self, key: str) -> str | None:
        """Read a string that is not empty, or null; the key itself must be there."""
        if key in self.value and self.value[key] is None:
            return None
        return self.text(key)

    def any_text(self, key: str) -> str:
        """Read a string, which may be empty."""
        value = self.value.get(key)
        if not isinstance(value, str):
            self.fail(key, "a string")
        return value

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """Read one of the strings in ``allowed``."""
        value = self.value.get(key)
        if not isinstance(value, str) or value not in allowed:
            self.fail(key, "one of " + ", ".join(allowed))
        return value

    def integer(self, key: str, *, least: int, most: int) -> int:
        """Read an integer from ``least`` to ``most``."""
        value = self.value.get(key)
        if type(value) is not int or not least <= value <= most:
            self.fail(key, f"an integer from {least} to {most}")
        return value

    def integers(self, key: str, *, least: int, most: int) -> tuple[int, ...]:
        """Read a list of integers from ``least`` to ``most``."""
        value = self.value.get(key)
        if not isinstance(value, list) or not all(
            type(item) is int and least <= item <= most for item in value
        ):
            self.fail(key, f"a list of integers from {least} to {most}")
        return tuple(value)

    def number(self, key: str, *, least: float = -LARGEST, most: float = LARGEST) -> float:
        """Read a number from ``least`` to ``most``."""
        value = self.value.get(key)
        if type(value) not in (int, float) or not least <= value <= most:  # type: ignore[operator]
            self.fail(key, f"a number from {least:g} to {most:g}")
        return float(value)  # type: ignore[arg-type]

    def flag(self, key: str) -> bool:
        """Read true or false."""
        value = self.value.get(key)
        if not isinstance(value, bool):
            self.fail(key, "true or false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of strings."""
        value = self.value.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(key, "a list of strings")
        return tuple(value)

    def text_map(self, key: str) -> dict[str, str]:
        """Read an object whose values are strings."""
        value = self.child(key).value
        if not all(isinstance(item, str) for item in value.values()):
            self.fail(key, "an object whose values are strings")
        return dict(value)
