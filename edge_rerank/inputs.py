"""Checking what callers pass in: every complaint says which argument, where and what is right."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import SupportsIndex

from edge_rerank.description import Scores
from edge_rerank.errors import InputError, shown
from edge_rerank.pairs import Pair, check_text
from edge_rerank.results import Document

SCORES = ("sigmoid", "logits")


def top_k(value: SupportsIndex | None) -> int | None:
    """Check ``top_k``: None, or a whole number from 1."""
    return None if value is None else _whole(value, "top_k", "a whole number from 1, or None")


def at_a_time(value: SupportsIndex) -> int:
    """Check ``at_a_time``: a whole number from 1."""
    return _whole(value, "at_a_time", "a whole number of pairs from 1")


def max_length(value: SupportsIndex | None, most: int) -> int:
    """Check ``max_length`` against the artifact's; None is the artifact's."""
    if value is None:
        return most
    expected = f"a whole number of tokens up to {most}, the most this model takes"
    length = _whole(value, "max_length", expected)
    if length > most:
        raise InputError(f"max_length is {length}; expected {expected}")
    return length


def activation(scores: Scores | None, own: str) -> str:
    """Check ``scores``, and name the activation that it asks for; None is the model's own."""
    if scores is None:
        return own
    if scores not in SCORES:
        expected = f"one of {', '.join(SCORES)}, or None for the model's own"
        raise InputError(f"scores is {shown(scores)}; expected {expected}")
    return "identity" if scores == "logits" else scores


def checked_pairs(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Check an iterable of pairs now, and each of its pairs when it is reached."""
    _check_iterable(pairs, "pairs", "(query, document) pairs")
    return _checked_pairs(pairs)


def query_pairs(
    query: str,
    documents: Iterable[Document],
    text_field: str,
    waiting: dict[int, Document] | None,
) -> Iterator[Pair]:
    """Pair a query with each document's text: the query is checked now, each document in turn.

    Each document is put into ``waiting`` under its index, unless that is None.
    """
    check_text(query, "the query")
    _check_iterable(documents, "documents", "documents")
    return _query_pairs(query, documents, text_field, waiting)


def _query_pairs(
    query: str,
    documents: Iterable[Document],
    text_field: str,
    waiting: dict[int, Document] | None,
) -> Iterator[Pair]:
    for index, document in enumerate(documents):
        text = _text_of(document, f"document {index}", text_field)
        if waiting is not None:
            waiting[index] = document
        yield query, text


def _text_of(document: object, where: str, text_field: str) -> str:
    if isinstance(document, str):
        check_text(document, where)
        return document
    if not isinstance(document, Mapping):
        expected = f"a string, or a mapping with a {text_field!r} field"
        raise InputError(f"{where} is {shown(document)}; expected {expected}")
    if text_field not in document:
        fields = shown(", ".join(str(key) for key in document))
        raise InputError(
            f"{where} has no {text_field!r} field, only {fields}; "
            "name the field that holds the text (text_field)"
        )
    text = document[text_field]
    check_text(text, f"{where}: the field {text_field!r}")
    return str(text)


def _checked_pairs(pairs: Iterable[Pair]) -> Iterator[Pair]:
    for index, pair in enumerate(pairs):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputError(f"pair {index} is {shown(pair)}; expected (query, document)")
        query, document = pair
        check_text(query, f"pair {index}: the query")
        check_text(document, f"pair {index}: the document")
        yield query, document


def _check_iterable(value: object, name: str, of: str) -> None:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        kind = type(value).__name__
        raise InputError(f"{name} is a {kind}; expected a list or another iterable of {of}")


def _whole(value: SupportsIndex, name: str, expected: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise InputError(f"{name} is {shown(value)}; expected {expected}")
    return number
