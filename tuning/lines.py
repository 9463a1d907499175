"""One line of a file of judged queries, in whichever of three forms it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_rerank.errors import InputError, shown
from edge_rerank.pairs import check_text
from edge_rerank.reading.objects import Number

QUERY = "query"
_GRADE = ("label", "grade", "score", "relevance")
_GRADES = ("labels", "grades", "scores")
_POSITIVE = ("positive", "positives", "pos")
_NEGATIVE = ("negative", "negatives", "neg")
EXPECTED = (
    'expected {"query", "document", "label"}, {"query", "documents": [...], "labels": [...]}, or '
    '{"query", "positive"} with or without "negatives"'
)


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write judgements."""

    name: str
    read: Callable[[Mapping[str, Any], str], Iterator[tuple[str, float]]]
    """Yields passages and grades of a line; raises InputError that names the place."""


def form_of(record: Mapping[str, Any], place: str) -> Form:
    """Return the form of a line, by its fields; raises InputError for another one."""
    for field, form in (("document", SINGLE), ("documents", LIST)):
        if field in record:
            return form
    if any(name in record for name in _POSITIVE):
        return PAIR
    raise InputError(f"{place}: has the fields {', '.join(record) or 'none'}; {EXPECTED}")


def query_of(record: Mapping[str, Any], place: str) -> str:
    """Return the query of a line."""
    if QUERY not in record:
        raise InputError(f"{place}: has no field 'query', only {', '.join(record)}; {EXPECTED}")
    text = check_text(record[QUERY], f"{place}: 'query'")
    if not text.strip():
        raise InputError(f"{place}: 'query' is {shown(text)}, which is blank; remove the line")
    return text


def _single(record: Mapping[str, Any], place: str) -> Iterator[tuple[str, float]]:
    name = _one_of(record, _GRADE, place)
    yield check_text(record["document"], f"{place}: 'document'"), _grade(record[name], name, place)


def _list(record: Mapping[str, Any], place: str) -> Iterator[tuple[str, float]]:
    name = _one_of(record, _GRADES, place)
    texts, grades = record["documents"], record[name]
    for field, value in (("documents", texts), (name, grades)):
        if not isinstance(value, list) or not value:
            raise InputError(f"{place}: {field!r} is {shown(value)}; expected an array of some")
    if len(texts) != len(grades):
        raise InputError(
            f"{place}: has {len(texts)} documents and {len(grades)} {name}; expected one for each"
        )
    for at, (text, grade) in enumerate(zip(texts, grades, strict=True)):
        yield check_text(text, f"{place}: 'documents'[{at}]"), _grade(grade, f"{name}[{at}]", place)


def _pair(record: Mapping[str, Any], place: str) -> Iterator[tuple[str, float]]:
    for names, grade in ((_POSITIVE, 1.0), (_NEGATIVE, 0.0)):
        given = [name for name in names if name in record]
        if len(given) > 1:
            raise InputError(f"{place}: has {given[0]!r} and {given[1]!r}; keep one of them")
        for name in given:
            value = record[name]
            texts = value if isinstance(value, list) else [value]
            if grade and not texts:
                raise InputError(f"{place}: {name!r} is empty; expected a passage, or several")
            for text in texts:
                yield check_text(text, f"{place}: {name!r}"), grade


SINGLE, LIST, PAIR = Form("single", _single), Form("list", _list), Form("pair", _pair)


def _one_of(record: Mapping[str, Any], names: tuple[str, ...], place: str) -> str:
    given = [name for name in names if name in record]
    if len(given) != 1:
        found = f"both {given[0]!r} and {given[1]!r}" if given else f"no {names[0]!r}"
        raise InputError(f"{place}: has {found}; {EXPECTED}")
    return given[0]


def _grade(value: object, name: str, place: str) -> float:
    """Return a grade: a number from 0, true or false, or in a table its digits."""
    text = value.text if isinstance(value, Number) else value
    try:
        grade = float(text) if isinstance(text, (str, bool)) else math.nan
    except ValueError:
        grade = math.nan
    if not 0 <= grade < math.inf:
        raise InputError(
            f"{place}: {name!r} is {shown(value)}; expected a number from 0, where 0 is not "
            "relevant"
        )
    return grade
