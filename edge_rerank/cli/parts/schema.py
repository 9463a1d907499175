"""The columns of Parquet parts: checked before any work, the same in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_rerank.cli.parts.job import Job
from edge_rerank.cli.parts.plan import Part
from edge_rerank.cli.scoring import NULL
from edge_rerank.errors import InputError
from edge_rerank.reading.parquet import check_text_columns, is_text, open_parquet, pyarrow


def check_tables(job: Job, parts: Sequence[Part]) -> None:
    """Raise InputError unless all parts have the columns of the first, and may be given scores."""
    first: dict[str, str] | None = None
    for part in parts:
        with open(part.source, "rb") as raw:
            schema = open_parquet(raw, part.source).schema_arrow
        check_schema(job, schema, part.source)
        columns = {field.name: _kind(field.type) for field in schema}
        first = first or columns
        _check_same(columns, first, part.source, parts[0].source)


def added_columns(job: Job) -> list[Any]:
    """Return the columns that are added."""
    arrow, members = pyarrow(), job.members
    kinds = {
        members.score: arrow.float32(),
        members.logit: arrow.float32(),
        members.tokens: arrow.int32(),
        members.truncated: arrow.bool_(),
        members.windows: arrow.int32(),
        members.window: arrow.list_(arrow.int64()),
        members.error: arrow.string(),
    }
    names = members.names if job.on_error == NULL else members.added
    return [arrow.field(name, kinds[name]) for name in names]


def check_schema(job: Job, schema: Any, name: str) -> None:
    """Raise InputError unless there are texts to score, and room for what is added."""
    check_text_columns(
        schema, name, {job.query_field: "--query-field", job.text_field: "--text-field"}
    )
    taken = [field.name for field in added_columns(job) if field.name in schema.names]
    if taken:
        raise InputError(
            f"{name}: has the column {', '.join(map(repr, taken))} already, which is what score "
            "adds; name the added columns otherwise with --score-field NAME"
        )


def _check_same(columns: dict[str, str], first: dict[str, str], name: str, of: str) -> None:
    """Raise InputError where the parts, read as one table, would not fit together."""
    remedy = "write all parts with the same columns, or score them from folders of their own"
    for column in {**first, **columns}:
        here, there = columns.get(column), first.get(column)
        if here == there:
            continue
        if here is None or there is None:
            has, lacks = (name, of) if there is None else (of, name)
            raise InputError(f"{lacks}: lacks the column {column!r}, which {has} has; {remedy}")
        raise InputError(
            f"{name}: column {column!r} is {here}, and in {of} it is {there}; {remedy}"
        )


def _kind(kind: Any) -> str:
    return "string" if is_text(kind) and str(kind) != "null" else str(kind)
