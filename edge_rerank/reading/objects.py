"""JSON objects of texts: strict, and with the text they were read from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from edge_rerank.errors import InputError
from edge_rerank.pairs import check_text

_STRING_OR_BLANKS = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written: 1.10 and 1e400 are passed through with these digits."""

    text: str

    def __repr__(self) -> str:
        return self.text


class Record(dict[str, Any]):
    """A JSON object, and ``source``: the text of it, in one line, as it was written."""

    def __init__(self, value: Mapping[str, Any], source: str) -> None:
        super().__init__(value)
        self.source = source


def parse_object(text: str, place: str) -> Record:
    """Read a JSON object; raises InputError naming the place for anything else."""
    value = parse_json(text, place)
    if not isinstance(value, dict):
        array = "; an array of objects is read from a .json file" if isinstance(value, list) else ""
        raise InputError(f"{place}: expected a JSON object, found {text.strip()[:60]!a}{array}")
    return Record(value, text.strip())


def parse_json(text: str, place: str) -> Any:
    """Read one JSON value, its numbers as :class:`Number`; raises InputError naming the place."""
    try:
        return json.loads(text, **_STRICT)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not valid JSON: {reason_of(error)}") from error


def decoder() -> json.JSONDecoder:
    """Return a decoder that reads values as :func:`parse_json` does."""
    return json.JSONDecoder(**_STRICT)


def reason_of(error: Exception) -> str:
    """Say in a few words what is wrong with JSON."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    if isinstance(error, RecursionError):
        return "nested too deep"
    return str(error)


def in_one_line(text: str) -> str:
    """Return the text of a JSON value without blanks and line ends between its parts."""
    return _STRING_OR_BLANKS.sub(lambda found: found[1] or "", text)


def text_under(record: Mapping[str, Any], field: str, place: str, parameter: str) -> str:
    """Return the text that a record has under ``field``, which ``parameter`` names."""
    if field not in record:
        fields = ", ".join(record) or "none"
        raise InputError(f"{place}: no field {field!r}, only {fields}; name it with {parameter}")
    text = record[field]
    check_text(text, f"{place}: {field!r}")
    return str(text)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


_STRICT: dict[str, Any] = {
    "parse_int": Number,
    "parse_float": Number,
    "parse_constant": _refuse_constant,
}
