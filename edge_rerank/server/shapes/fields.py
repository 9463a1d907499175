"""Reading the fields of a request: each complaint says which field, and what is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_rerank.errors import InputError
from edge_rerank.pairs import check_text
from edge_rerank.server.errors import EmptyError, InvalidError
from edge_rerank.server.settings import Limits

FLAG_WORDS = {"true": True, "True": True, "false": False, "False": False}
"""Strings that some clients send in place of true and false."""
SIDES = ("left", "right", "Left", "Right")
"""The sides of a text, as vLLM and as text-embeddings-inference write them."""


def flag(body: Mapping[str, Any], name: str, default: bool) -> bool:
    """Read true or false; null is the default, and some clients send strings."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, str):
        value = FLAG_WORDS.get(value)
    if not isinstance(value, bool):
        raise InvalidError(f"`{name}` must be true or false")
    return value


def whole(body: Mapping[str, Any], name: str, least: int = 0) -> int | None:
    """Read a whole number from ``least``; null is None."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidError(f"`{name}` must be a whole number from {least}, or null")
    return value


def count_or_all(body: Mapping[str, Any], name: str) -> int | None:
    """Read a number of results or tokens, of which null and 0 are all."""
    return whole(body, name) or None


def choice(body: Mapping[str, Any], name: str, options: Sequence[str]) -> str | None:
    """Read one of some words; null is None."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in options:
        raise InvalidError(f"`{name}` must be one of {', '.join(options)}, or null")
    return value


def keeps_end(body: Mapping[str, Any], name: str) -> bool:
    """Read the side on which a text that is too long is cut; says whether that is the left one."""
    return choice(body, name, SIDES) in ("left", "Left")


def name_of_model(body: Mapping[str, Any]) -> str | None:
    """Read ``model``: any name will do, since many clients send a fixed one."""
    value = body.get("model")
    if value is not None and not isinstance(value, str):
        raise InvalidError("`model` must be a string, or null")
    return None if value is None else text(value, "`model`", 1000)


def query(body: Mapping[str, Any], limits: Limits, name: str = "query") -> str:
    """Read the query, which must have a character at least."""
    value = required(body, name)
    found = text(value, f"`{name}`", limits.query_characters)
    if not found:
        raise EmptyError(f"`{name}` cannot be empty")
    return found


def listed(body: Mapping[str, Any], name: str, limits: Limits) -> list[Any]:
    """Read a list with an item at least, and no more than the server takes."""
    value = required(body, name)
    if not isinstance(value, list):
        raise InvalidError(f"`{name}` must be a list")
    if not value:
        raise EmptyError(f"`{name}` cannot be empty")
    if len(value) > limits.documents:
        raise InvalidError(
            f"`{name}` has {len(value)} items; {limits.documents} is the most this server takes"
        )
    return value


def required(body: Mapping[str, Any], name: str) -> Any:
    """Return a field that must be there."""
    if name not in body:
        raise InvalidError(f"missing field `{name}`")
    return body[name]


def text(value: object, where: str, most: int) -> str:
    """Read a text of no more than ``most`` characters."""
    if not isinstance(value, str):
        raise InvalidError(f"{where} must be a string")
    if len(value) > most:
        raise InvalidError(f"{where} has {len(value)} characters; {most} is the most")
    try:
        check_text(value, where)
    except InputError as error:
        raise InvalidError(f"{where} holds half of a surrogate pair, which is not text") from error
    return value
