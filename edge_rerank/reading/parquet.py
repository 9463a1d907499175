"""Parquet files: the schema is checked before a row is read, and a bad row has its number."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from edge_rerank.errors import InputError, shown
from edge_rerank.installation import extra_library

_ROWS = 1024  # read at a time where nobody says


def pyarrow() -> Any:
    """Import pyarrow and its Parquet part; raises MissingExtraError."""
    extra_library("pyarrow.parquet", "parquet", "reading and writing Parquet")
    return extra_library("pyarrow", "parquet", "reading and writing Parquet")


def open_parquet(raw: IO[bytes], name: str) -> Any:
    """Open a file whose columns have different names; raises InputError for any other."""
    if not raw.seekable():
        raise InputError(f"{name}: Parquet cannot be read from a pipe; name the file")
    parquet = pyarrow().parquet
    with _named_errors(name, "is no whole Parquet file"):
        file = parquet.ParquetFile(raw)
        names = file.schema_arrow.names
    twice = sorted({one for one in names if names.count(one) > 1})
    if twice:
        raise InputError(
            f"{name}: has more than one column {', '.join(map(repr, twice))}; rename all but one"
        )
    return file


def check_text_columns(schema: Any, name: str, parameters: Mapping[str, str]) -> None:
    """Raise InputError unless the columns hold texts; ``parameters`` say what names each."""
    for column, parameter in parameters.items():
        if column not in schema.names:
            raise InputError(
                f"{name}: no column {column!r}, only {', '.join(schema.names) or 'none'}; "
                f"name it with {parameter}"
            )
        kind = schema.field(column).type
        if not is_text(kind):
            raise InputError(
                f"{name}: column {column!r} is {kind}; expected string: cast it, or name another "
                f"with {parameter}"
            )


def is_text(kind: Any) -> bool:
    """Whether values of a type are texts, or all null."""
    types = pyarrow().types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return str(kind) in ("string", "large_string", "string_view", "null")


def batches(file: Any, name: str, size: int, group: int | None = None) -> Iterator[Any]:
    """Read rows, ``size`` of them at a time, of all the file or of one of its groups."""
    groups = None if group is None else [group]
    with _named_errors(name, "is damaged"):
        yield from file.iter_batches(batch_size=size, row_groups=groups)


def texts(column: Any) -> list[Any]:
    """Return a column's values; bytes for one that is not UTF-8, which are no text."""
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        kind = "large_binary" if str(column.type).startswith("large") else "binary"
        return [_decoded(value) for value in column.cast(kind).to_pylist()]


def place_of(name: str, row: int) -> str:
    """Return what messages call a row, which is counted from 1."""
    return f"{name}: row {row:,}"


def parquet_rows(file: Any, name: str) -> Iterator[tuple[str, str | InputError]]:
    """Yield the place of each row, and its JSON, or what is wrong with it."""
    row = 0
    for batch in batches(file, name, _ROWS):
        for value in _values(batch):
            row += 1
            place = place_of(name, row)
            try:
                yield place, _json(value)
            except (TypeError, ValueError) as error:
                yield place, InputError(f"{place}: {_unfit(value, batch.schema) or error}")


def _values(batch: Any) -> Sequence[Any]:
    try:
        return list(batch.to_pylist())
    except ValueError:  # of one column of one row, perhaps
        return [_value(batch.slice(at, 1)) for at in range(batch.num_rows)]


def _value(row: Any) -> Any:
    try:
        return row.to_pylist()[0]
    except ValueError as error:
        return error


def _json(value: Any) -> str:
    if isinstance(value, ValueError):
        raise value
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)


def _plain(value: Any) -> str:
    """Return dates and times as ISO 8601 has them, which JSON has no kind of value for."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise TypeError(f"{shown(value)} has no form in JSON")


def _unfit(value: Any, schema: Any) -> str:
    """Name the column that JSON cannot have."""
    for column, member in value.items() if isinstance(value, dict) else ():
        try:
            _json(member)
        except (TypeError, ValueError):
            return (
                f"column {column!r} ({schema.field(column).type}) is {shown(member)}, which JSON "
                "has no form for; write Parquet, or leave the column out"
            )
    return ""


def _decoded(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return value


@contextmanager
def _named_errors(name: str, what: str) -> Iterator[None]:
    """Turn what pyarrow raises into an InputError that names the file."""
    arrow = pyarrow()
    try:
        yield
    except (arrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # the disk's, and not the content's
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{name}: {what}: {reason[:200]}") from error
