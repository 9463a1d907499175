"""Checks of queries, documents and pairs, made once, where they enter.

What has a length is checked whole before any of it is computed; of what comes one by one, each is
checked when it is reached.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set, Sized
from typing import Any, TypeVar

from edge_rerank.errors import InputError, shown
from edge_rerank.pairs import Pair, check_text

D = TypeVar("D")
T = TypeVar("T")

# Blanks, control characters, and those that Unicode calls default ignorable or draws as nothing.
_BLANK = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]*"
)


def is_blank(text: str) -> bool:
    """Return True for a text that shows nothing: empty, blanks, invisible characters."""
    return _BLANK.fullmatch(text) is not None


def checked_documents(
    documents: Iterable[D], text_field: str, text_of: Callable[[D], str] | None
) -> Iterator[tuple[D, str]]:
    """Return each document with its text: what ``text_of`` gives, or lies under a field."""
    column = f"pass df[{text_field!r}], the column that holds the texts"
    _check_iterable(documents, "documents", "documents", column)
    read = _text_reader(text_field, text_of)
    return _all_first(
        documents, ((document, read(document, index)) for index, document in enumerate(documents))
    )


def checked_pairs(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Return each pair as two strings."""
    columns = "pass pairs, such as zip(df['query'], df['document'])"
    _check_iterable(pairs, "pairs", "(query, document) pairs", columns)
    if (
        isinstance(pairs, Sized)
        and len(pairs) == 2
        and all(isinstance(text, str) for text in pairs)
    ):
        raise InputError("pairs is one pair; wrap it in a list: [(query, document)]")
    return _all_first(pairs, (_pair(pair, index) for index, pair in enumerate(pairs)))


def _text_reader(
    text_field: str, text_of: Callable[[Any], str] | None
) -> Callable[[object, int], str]:
    """Return what takes the text of a document, given its place, and checks it."""
    if text_of is None:
        return lambda document, index: _text_in(document, index, text_field)
    if not callable(text_of):
        raise InputError(
            f"text_of is {shown(text_of)}; expected a function that gives a document's text"
        )
    if text_field != "text":
        raise InputError("text_of and text_field both say where the text is; use one")
    return lambda document, index: check_text(
        text_of(document), f"document {index}: what text_of gives", index
    )


def _all_first(values: Iterable[object], checked: Iterator[T]) -> Iterator[T]:
    """Make all checks at once if ``values`` is more than a stream."""
    return iter(list(checked)) if isinstance(values, Sized) else checked


def _pair(pair: object, index: int) -> Pair:
    texts = _two(pair)
    if texts is None:
        hint = ": wrap one pair alone in a list" if isinstance(pair, str) else ""
        raise InputError(
            f"pair {index} is {shown(pair)}; expected (query, document){hint}", index=index
        )
    query, document = texts
    return (
        check_text(query, f"pair {index}: the query", index),
        check_text(document, f"pair {index}: the document", index),
    )


def _two(pair: object) -> Sequence[object] | None:
    """Take two things in order: a tuple, a list, a row of an array; None for anything else."""
    if isinstance(pair, (tuple, list)):
        return pair if len(pair) == 2 else None
    if isinstance(pair, (str, bytes, Mapping, Set)) or not isinstance(pair, Collection):
        return None
    return list(pair) if len(pair) == 2 else None


def _text_in(document: object, index: int, text_field: str) -> str:
    where = f"document {index}"
    if isinstance(document, str):
        return check_text(document, where, index)
    if not isinstance(document, Mapping):
        expected = f"a string, or a mapping with a {text_field!r} field"
        hint = "; pass its values: to_pylist()" if hasattr(document, "as_py") else ""
        raise InputError(f"{where} is {shown(document)}; expected {expected}{hint}", index=index)
    if text_field not in document:
        fields = shown(", ".join(str(key) for key in document))
        raise InputError(
            f"{where} has no {text_field!r} field, only {fields}; "
            "name the field that holds the text (text_field)",
            index=index,
        )
    return check_text(document[text_field], f"{where}: the field {text_field!r}", index)


def _check_iterable(value: object, name: str, of: str, remedy: str) -> None:
    kind = type(value).__name__
    if _is_table(value):
        raise InputError(f"{name} is a table ({kind}), which goes by columns; {remedy}")
    if isinstance(value, Set):
        raise InputError(f"{name} is a {kind}, which has no order; pass a list of {of}")
    try:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise TypeError
        iter(value)
    except TypeError:
        raise InputError(
            f"{name} is a {kind}; expected a list or another iterable of {of}"
        ) from None


def _is_table(value: object) -> bool:
    """Return True for the tables of pandas, polars, pyarrow and their like.

    They are not imported for it. A column of pandas has an attribute for each label of a row.
    """
    has_columns = hasattr(type(value), "columns") or "columns" in getattr(value, "__dict__", ())
    return has_columns and not isinstance(value, Mapping) and getattr(value, "ndim", 2) != 1
