"""Tables of texts, CSV or TSV, whose first row names the fields."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from edge_rerank.errors import InputError, shown
from edge_rerank.reading.lines import decoded

_LONGEST_FIELD = 2**31 - 1  # characters; csv's own limit of 131,072 is shorter than documents are

Row = dict[str, str]


def table_rows(
    stream: Iterable[bytes], name: str, separator: str | None
) -> Iterator[tuple[str, Row | InputError]]:
    """Yield the place and the fields of each row; an InputError where it does not fit the header.

    Without a ``separator``, it is a comma, or a semicolon where the header has those alone.
    Raises InputError for a header that names no fields and for what cannot be read at all.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    lines = (decoded(raw, f"{name}:{number}") for number, raw in enumerate(stream, 1))
    first = next(lines, "")
    separator = separator or (";" if ";" in first and "," not in first else ",")
    reader = csv.reader(_with(first, lines), delimiter=separator)
    try:
        header = next(reader, [])
        _check_header(header, name)
        start = reader.line_num
        for values in reader:
            place, start = f"{name}:{start + 1}", reader.line_num
            if not any(map(str.strip, values)):
                continue
            if len(values) == len(header):
                yield place, dict(zip(header, values, strict=True))
            else:
                yield (
                    place,
                    InputError(
                        f"{place}: {len(values)} fields, where the first row names {len(header)}"
                    ),
                )
    except csv.Error as error:
        raise InputError(f"{name}:{reader.line_num}: cannot be read as a table: {error}") from error


def _with(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _check_header(header: list[str], name: str) -> None:
    if len(set(header)) != len(header) or not all(map(str.strip, header)):
        raise InputError(
            f"{name}:1: the first row is {shown(header)}; expected a different name for each field"
        )
