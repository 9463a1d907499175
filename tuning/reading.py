"""Files of judged queries: all of a file is read and checked before any work."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from edge_rerank.errors import InputError, shown
from edge_rerank.reading.entries import open_entries

from .examples import BINARY, GRADED, PAIRS, Judged, JudgedQuery
from .lines import EXPECTED, PAIR, Form, form_of, query_of

_SHOWN = 3  # places that are named where a whole file has many of them


def read_judged(path: str) -> Judged:
    """Read a file: JSON Lines, a JSON array, CSV or TSV, compressed or not.

    Lines of the same query are one. Raises InputError that names the file, the line and the remedy
    for what is not of one of the three forms of ``lines.py``, or not of the first line's.
    """
    reader = _Reader()
    with open_entries(path) as entries:
        for entry in entries:
            reader.add(entry.record(), entry.place)
    if not reader.queries:
        raise InputError(f"{path}: has no lines; {EXPECTED}")
    return Judged(os.path.basename(path), reader.kind(), tuple(reader.queries.values()))


class _Reader:
    def __init__(self) -> None:
        self.queries: dict[str, JudgedQuery] = {}
        self._form: Form | None = None
        self._first = ""
        self._places: dict[tuple[str, str], str] = {}

    def add(self, record: dict[str, Any], place: str) -> None:
        form = form_of(record, place)
        if self._form is None:
            self._form, self._first = form, place
        if form is not self._form:
            raise InputError(
                f"{place}: has the fields {', '.join(record)}, and {self._first} is of another "
                f"form; write all lines of a file in one form: {EXPECTED}"
            )
        text = query_of(record, place)
        query = self.queries.setdefault(text, JudgedQuery(text, place, {}))
        grades = dict(query.grades)
        for passage, grade in form.read(record, place):
            before = grades.setdefault(passage, grade)
            first = self._places.setdefault((text, passage), place)
            if before != grade:
                raise InputError(
                    f"{place}: the passage {shown(passage)} has the grade {grade:g}, and in "
                    f"{first} {before:g} for the same query; keep one of them"
                )
            if grade > 0 and not passage.strip():
                raise InputError(
                    f"{place}: a passage that is judged relevant is {shown(passage)}, which is "
                    "blank; give it its text, or remove it"
                )
        self.queries[text] = replace(query, grades=grades)

    def kind(self) -> str:
        """Return what the grades are."""
        if self._form is PAIR:
            return PAIRS
        found = {grade for query in self.queries.values() for grade in query.grades.values()}
        return BINARY if found <= {0.0, 1.0} else GRADED


def refuse_overlap(train: Judged, validate: Judged) -> None:
    """Raise InputError where a query is in both files: what was learned by heart would count."""
    known = {_folded(query.text): query.place for query in train.queries}
    both = [query for query in validate.queries if _folded(query.text) in known]
    if not both:
        return
    named = "; ".join(
        f"{query.place} {shown(query.text)} is {known[_folded(query.text)]}"
        for query in both[:_SHOWN]
    )
    more = f", and {len(both) - _SHOWN} more" if len(both) > _SHOWN else ""
    raise InputError(
        f"{len(both)} of the {len(validate.queries)} queries of --validate are in --train too "
        f"({named}{more}): keep each in one of the two files, or nothing would show what was "
        "learned and what was only remembered"
    )


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def telling(judged: Judged) -> tuple[Judged, int]:
    """Return the queries that have a better and a worse passage, and how many have not."""
    kept = tuple(query for query in judged.queries if query.tells)
    return replace(judged, queries=kept), len(judged.queries) - len(kept)
