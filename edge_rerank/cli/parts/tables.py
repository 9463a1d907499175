"""A part of Parquet: the same columns and the scores, written whole or not at all."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edge_rerank.cli.leftovers import lock, partial_beside, remove_dead
from edge_rerank.cli.parts.finished import check_finished
from edge_rerank.cli.parts.job import Advance, Job, Outcome
from edge_rerank.cli.parts.plan import Part
from edge_rerank.cli.parts.schema import added_columns, check_schema
from edge_rerank.cli.scoring import Line, Members, Scorer
from edge_rerank.errors import EngineError, InputError
from edge_rerank.files import copy_mode, replace_or_copy
from edge_rerank.pairs import check_text
from edge_rerank.reading.parquet import batches, open_parquet, place_of, pyarrow, texts
from edge_rerank.reranker import Reranker
from edge_rerank.results import ScoredPair

_HELD = 64 << 20  # bytes of rows before they are written, though their group has not ended
_CODECS = ("snappy", "gzip", "brotli", "zstd", "lz4")


@dataclass(frozen=True)
class _Row(Line):
    """A row of a batch."""

    at: int = 0


Made = tuple[int, dict[str, Any]]
"""A row's place in its batch, and the values that are added to it."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """What scored rows become."""

    members: Members

    def scored(self, line: Line, pair: ScoredPair) -> Made:
        """Return the row with what its pair was found to be."""
        if not math.isfinite(pair.logit):
            raise EngineError(f"{line.place}: the model's logit is {pair.logit}")
        return _at(line), self.members.of(pair)

    def failed(self, line: Line, problem: InputError) -> Made:
        """Return the row with the reason in place of a score."""
        return _at(line), self.members.of_error(str(problem))


def score_table(job: Job, part: Part, reranker: Reranker, advance: Advance) -> Outcome:
    """Score a part, or hold what is there to it."""
    with open(part.source, "rb") as raw:
        file = open_parquet(raw, part.source)
        check_schema(job, file.schema_arrow, part.source)
        scorer: Scorer[Made] = Scorer(
            reranker, _Rows(job.members), logits=job.logits, on_error=job.on_error, how=job.how
        )
        if job.resume and Path(part.output).exists():
            return Outcome(part, rows=check_finished(job, part, file, scorer), kept=True)
        with _part_file(Path(part.output)) as stream:
            rows = _write(job, part.source, file, scorer, stream, advance)
    return Outcome(part, scorer.counts, rows)


def _write(
    job: Job, name: str, file: Any, scorer: Scorer[Made], stream: IO[bytes], advance: Advance
) -> int:
    """Write the scored rows in the groups of the source, or less where those are large."""
    arrow = pyarrow()
    schema = file.schema_arrow
    for field in added_columns(job):
        schema = schema.append(field)
    read = written = 0
    with arrow.parquet.ParquetWriter(stream, schema, compression=_compression(file)) as writer:
        for group in range(file.num_row_groups):
            held: list[Any] = []
            for batch in batches(file, name, job.at_a_time, group):
                held.append(_scored(job, name, batch, read, scorer, schema))
                read += batch.num_rows
                written += held[-1].num_rows
                advance(batch.num_rows)
                if sum(table.nbytes for table in held) > _HELD:
                    writer.write_table(arrow.concat_tables(held))
                    held = []
            if held:
                writer.write_table(arrow.concat_tables(held))
    return written


def _scored(job: Job, name: str, batch: Any, before: int, scorer: Scorer[Made], schema: Any) -> Any:
    """Return a batch as a table with its scores; rows that are left out are not in it."""
    arrow = pyarrow()
    lines = _lines(job, name, batch, before)
    made = [one for some in scorer.batches(lines, job.at_a_time) for one in some]
    table = arrow.Table.from_batches([batch])
    if len(made) < batch.num_rows:
        table = table.take(arrow.array([at for at, _ in made], arrow.int64()))
    columns = [
        arrow.array([values.get(field.name) for _, values in made], field.type)
        for field in added_columns(job)
    ]
    return arrow.Table.from_arrays([*table.columns, *columns], schema=schema)


def _lines(job: Job, name: str, batch: Any, before: int) -> Iterator[_Row]:
    columns = (texts(batch.column(field)) for field in (job.query_field, job.text_field))
    for at, (query, document) in enumerate(zip(*columns, strict=True)):
        place, problem = place_of(name, before + at + 1), None
        try:
            check_text(query, f"{place}: {job.query_field!r}")
            check_text(document, f"{place}: {job.text_field!r}")
        except InputError as error:
            problem, query, document = error, "", ""
        yield _Row(place, len(query) + len(document), None, (query, document), problem, at)


def _compression(file: Any) -> str:
    """Return the codec of the source."""
    if not file.num_row_groups or not file.metadata.num_columns:
        return "snappy"
    codec = file.metadata.row_group(0).column(0).compression.lower()
    return codec if codec in _CODECS else "none"


def _at(line: Line) -> int:
    assert isinstance(line, _Row)
    return line.at


@contextmanager
def _part_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside ``path`` that gets its name at the end; nothing is left of it otherwise.

    What a killed run left of it goes, as nobody could go on after it.
    """
    remove_dead(path)
    beside = partial_beside(path)
    with beside.open("xb") as stream:
        try:
            lock(stream.fileno())
            yield stream
            stream.flush()
            with contextlib.suppress(OSError):  # some file systems cannot
                os.fsync(stream.fileno())
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    if path.exists():
        copy_mode(path, beside)
    replace_or_copy(beside, path)
