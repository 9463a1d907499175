"""Pairs of texts, and what the model reads of them: the values that go from room to room."""

from __future__ import annotations

from dataclasses import dataclass

from edge_rerank.errors import InputError, shown

Pair = tuple[str, str]
"""A query and a document."""


@dataclass(frozen=True, slots=True)
class TokenizedPair:
    """One query and document as the model reads them, special tokens included, not padded."""

    ids: tuple[int, ...]
    first_segment: int
    """How many of the ids, from the start, have token type 0; the rest have type 1."""
    truncated: bool
    """True when the query or the document did not fit whole."""


def check_text(text: object, what: str) -> None:
    """Raise InputError unless ``text`` is a string of real characters; ``what`` names it."""
    if not isinstance(text, str):
        raise InputError(f"{what} is {shown(text)}; expected a string")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} holds the lone surrogate {text[error.start]!a} at character {error.start}, "
            "which is not text; decode the source with errors='replace'"
        ) from error
