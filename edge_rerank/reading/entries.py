"""Files of texts in whichever form they come: lines, JSON Lines, a JSON array, a table, Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePath
from typing import Any

from edge_rerank.errors import InputError
from edge_rerank.reading.lines import decoded
from edge_rerank.reading.objects import (
    Record,
    decoder,
    in_one_line,
    parse_json,
    parse_object,
    reason_of,
)
from edge_rerank.reading.source import Source, open_source

AUTO, TEXT, JSONL, JSON, CSV, TSV = "auto", "text", "jsonl", "json", "csv", "tsv"
PARQUET = "parquet"
FORMATS = (AUTO, TEXT, JSONL, JSON, CSV, TSV, PARQUET)
_BY_NAME = {
    ".jsonl": JSONL,
    ".ndjson": JSONL,
    ".jsonlines": JSONL,
    ".json": JSON,
    ".csv": CSV,
    ".tsv": TSV,
    ".parquet": PARQUET,
    ".pq": PARQUET,
}
COMPRESSED = (".gz", ".bz2", ".xz")
_ONE_A_LINE = "expected one object a line, or an array of objects"


Numbered = Iterator[tuple[int, bytes]]
"""Lines and their numbers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line, an element or a row: its place, its text, and what is wrong with it already."""

    place: str
    text: str
    problem: InputError | None = None

    def line(self) -> str:
        """Return the text as it is; raises InputError where it could not be read."""
        if self.problem is not None:
            raise self.problem
        return self.text

    def record(self) -> Record:
        """Return the JSON object; raises InputError for anything else."""
        return parse_object(self.line(), self.place)

    def value(self) -> Any:
        """Return the JSON value, an object as a :class:`Record`; raises InputError."""
        value = parse_json(self.line(), self.place)
        return Record(value, self.text.strip()) if isinstance(value, dict) else value


Read = tuple[str, Iterator[Entry]]
"""The form that was found, and what is read in it."""


class Entries:
    """What a file holds, entry by entry; blank lines are left out."""

    def __init__(self, source: Source, form: str, fallback: str) -> None:
        """Read a source in a form of FORMATS, or by its content and else the fallback."""
        self.source = source
        self.form = form
        """Known once reading has begun."""
        self._fallback = fallback
        self._items: Iterator[Entry] | None = None

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries; waits for the first bytes."""
        self.begin()
        assert self._items is not None
        yield from self._items

    def begin(self) -> None:
        """Look at how the content begins; raises InputError for what is no text."""
        if self._items is not None:
            return
        if self.form == PARQUET or (self.form == AUTO and self.source.begins_with(b"PAR1")):
            self.form, self._items = PARQUET, _parquet(self.source)
        else:
            reading = Reading(self.source.open(), self.source.name, self._fallback)
            self.form, self._items = _READERS[self.form](reading)


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes, their name in messages, and the form to take where nothing tells."""

    stream: Iterable[bytes]
    name: str
    fallback: str


@contextmanager
def open_entries(name: str, form: str = AUTO, *, fallback: str = JSONL) -> Iterator[Entries]:
    """Open a file, or standard input for ``-``, in a form of FORMATS.

    ``auto`` goes by the name's ending, and then by how the content begins; ``fallback`` is the
    form where neither tells. One bad line is the problem of its entry alone; what makes all that
    follows unreadable is raised. Raises InputError for what cannot be read; nothing is awaited here
    from a pipe or a terminal.
    """
    with open_source(name) as source:
        entries = Entries(source, form_of(name) if form == AUTO else form, fallback)
        if source.identity() is not None:
            entries.begin()
        yield entries


def form_of(name: str) -> str:
    """Return the form that a file's name tells, or AUTO."""
    path = PurePath(name.lower())
    if path.suffix in COMPRESSED:
        path = path.with_suffix("")
    return _BY_NAME.get(path.suffix, AUTO)


def _by_content(source: Reading) -> Read:
    """Look at the first line that is not blank: objects and arrays are known by it."""
    first, rest = _peeked(source)
    begin = first.lstrip()
    if begin[:1] == b"[" and begin[1:].lstrip()[:1] in (b"", b"{", b'"', b"[", b"]"):
        return JSON, _elements(source, rest)
    if begin[:1] == b"{" and begin[1:].lstrip()[:1] in (b"", b'"', b"}"):
        if source.fallback == TEXT and not _is_object(begin):
            raise InputError(
                f"{source.name}: begins like JSON, but its first line is no whole object; "
                f"{_ONE_A_LINE}; the form text takes the lines as they are"
            )
        return JSONL, _lines(source, rest)
    return source.fallback, _lines(source, rest)


def _json(source: Reading) -> Read:
    """Read an array, or, however it is named, one object a line."""
    first, rest = _peeked(source)
    begin = first.lstrip()
    if begin[:1] == b"[":
        return JSON, _elements(source, rest)
    if begin[:1] == b"{" and not _is_object(begin):
        pieces = list(rest)
        _refuse_one_object(source.name, b"".join(raw for _, raw in pieces))
        rest = iter(pieces)
    return JSONL, _lines(source, rest)


def _refuse_one_object(name: str, text: bytes) -> None:
    """Raise InputError for a file that is one large object, and say what it holds."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return  # a broken line, which is its entry's problem
    lists = ", ".join(repr(key) for key, member in value.items() if isinstance(member, list))
    under = f" (its lists are under {lists})" if lists else ""
    raise InputError(f"{name}: is a single JSON object{under}; {_ONE_A_LINE}")


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _peeked(source: Reading) -> tuple[bytes, Numbered]:
    """Return the first line that is not blank, and all lines from it on, numbered."""
    numbered: Numbered = iter(enumerate(source.stream, 1))
    for number, raw in numbered:
        if raw.strip():
            return raw, chain([(number, raw)], numbered)
    return b"", iter(())


def _lines(source: Reading, numbered: Iterable[tuple[int, bytes]]) -> Iterator[Entry]:
    for number, raw in numbered:
        if not raw.strip():
            continue
        place = f"{source.name}:{number}"
        try:
            # Files that were joined have a byte order mark within.
            text = decoded(raw, place).removeprefix("\ufeff").rstrip("\r\n")
        except InputError as error:
            yield Entry(place, "", error)
            continue
        if text.strip():
            yield Entry(place, text)


def _elements(source: Reading, numbered: Iterable[tuple[int, bytes]]) -> Iterator[Entry]:
    """Yield the elements of an array, which is read whole."""
    pieces = list(numbered)
    line = pieces[0][0] if pieces else 1
    text = decoded(b"".join(raw for _, raw in pieces), source.name)
    read, at = decoder(), _skipped(text, text.index("[") + 1)
    counted, more = 0, text[at : at + 1] != "]"
    while more:
        line, counted = line + text.count("\n", counted, at), at
        place = f"{source.name}:{line}"
        try:
            _, end = read.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place}: not valid JSON: {reason_of(error)}") from error
        yield Entry(place, in_one_line(text[at:end]))
        at = _skipped(text, end)
        more = text[at : at + 1] == ","
        if more:
            at = _skipped(text, at + 1)
    rest = text[at : at + 1], text[at + 1 :].strip()
    if rest != ("]", ""):
        found = text[at : at + 20]
        raise InputError(
            f"{source.name}: not valid JSON: expected a comma, or ] at the end, found {found!a}"
        )


def _skipped(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at


def _rows(source: Reading, separator: str | None = None) -> Iterator[Entry]:
    from edge_rerank.reading.tables import table_rows  # csv is needed for tables alone

    for place, row in table_rows(source.stream, source.name, separator):
        if isinstance(row, InputError):
            yield Entry(place, "", row)
        else:
            yield Entry(place, json.dumps(row, ensure_ascii=False))


def _parquet(source: Source) -> Iterator[Entry]:
    from edge_rerank.reading.parquet import open_parquet, parquet_rows  # and pyarrow

    rows = parquet_rows(open_parquet(source.raw, source.name), source.name)
    return (
        Entry(place, "", row) if isinstance(row, InputError) else Entry(place, row)
        for place, row in rows
    )


def _all_lines(source: Reading) -> Iterator[Entry]:
    return _lines(source, enumerate(source.stream, 1))


_READERS: dict[str, Callable[[Reading], Read]] = {
    AUTO: _by_content,
    TEXT: lambda source: (TEXT, _all_lines(source)),
    JSONL: lambda source: (JSONL, _all_lines(source)),
    JSON: _json,
    CSV: lambda source: (CSV, _rows(source)),
    TSV: lambda source: (TSV, _rows(source, "\t")),
}
