"""Parquet parts that an earlier run finished: held to their source, by the last row."""

from __future__ import annotations

from typing import Any

from edge_rerank.cli.parts.job import Job
from edge_rerank.cli.parts.plan import Part
from edge_rerank.cli.parts.schema import added_columns
from edge_rerank.cli.resuming import check_scores
from edge_rerank.cli.scoring import SKIP, Line, Scorer
from edge_rerank.errors import InputError
from edge_rerank.reading.parquet import open_parquet, place_of


def check_finished(job: Job, part: Part, file: Any, scorer: Scorer[Any]) -> int:
    """Raise InputError unless the output is what this part becomes; return its rows."""
    again = f"remove it to score {part.source} again, or name another --output"
    with open(part.output, "rb") as raw:
        there = open_parquet(raw, part.output)
        names = [*file.schema_arrow.names, *(field.name for field in added_columns(job))]
        rows: int = there.metadata.num_rows
        expected: int = file.metadata.num_rows
        if there.schema_arrow.names != names or rows > expected:
            raise InputError(
                f"{part.output}: is not what score makes of {part.source} with these options; "
                f"{again}"
            )
        if rows < expected and job.on_error != SKIP:
            raise InputError(
                f"{part.output}: has {rows:,} rows, and {part.source} has {expected:,}: it is "
                f"from another input; {again}"
            )
        if rows:
            _check_last(job, part, there, scorer, again, None if rows < expected else file)
    return rows


def _check_last(
    job: Job, part: Part, there: Any, scorer: Scorer[Any], again: str, source: Any
) -> None:
    """Score the last row again, and hold it to the source's where that is its last as well."""
    row = _last(there)
    where = place_of(part.output, there.metadata.num_rows)
    if source is not None:
        asked = _last(source)
        if any(repr(row[name]) != repr(value) for name, value in asked.items()):
            raise InputError(
                f"{where}: is not the last row of {part.source}: it is from another input; {again}"
            )
    pair = row[job.query_field], row[job.text_field]
    if not all(isinstance(text, str) for text in pair):
        return
    members = job.members
    then = [row[name] for name in (members.logit, members.score, members.tokens)]
    check_scores(Line(where, 0, None, pair), then, where, scorer, again)


def _last(file: Any) -> dict[str, Any]:
    """Return the last row of a file that has one."""
    groups = range(file.num_row_groups)
    group = max(at for at in groups if file.metadata.row_group(at).num_rows)
    table = file.read_row_group(group)
    last = table.slice(table.num_rows - 1)
    return {name: _value(last.column(name)[0]) for name in last.column_names}


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except ValueError:  # a time in nanoseconds, which Python has no value for
        return str(scalar)
