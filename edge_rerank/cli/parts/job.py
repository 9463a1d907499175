"""What is to be done with each part: settings that travel to workers, and what comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from edge_rerank.cli.failures import UnfinishedError
from edge_rerank.cli.parts.plan import Part
from edge_rerank.cli.scoring import Counts, Members
from edge_rerank.errors import EdgeRerankError
from edge_rerank.reading.entries import PARQUET
from edge_rerank.reranker import Reranker
from edge_rerank.windows.options import LongDocuments, Windows

RAY, DASK = CLUSTERS = ("ray", "dask")
Advance = Callable[[int], None]
"""Told how many more lines are done."""


@dataclass(frozen=True, slots=True)
class Loading:
    """A model, and how it runs; see :meth:`Reranker.load`."""

    model: str | None
    threads: Any
    max_length: int | None
    engine: Any
    kernel: Any
    verify: bool
    self_check: bool

    def open(self) -> Reranker:
        """Open the model."""
        return Reranker.load(
            self.model,
            threads=self.threads,
            max_length=self.max_length,
            engine=self.engine,
            kernel=self.kernel,
            verify=self.verify,
            self_check=self.self_check,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """How pairs are read, scored and written."""

    loading: Loading
    members: Members
    query_field: str
    text_field: str
    logits: bool
    on_error: str
    at_a_time: int
    long_documents: LongDocuments | Windows
    query_max_tokens: int | None
    resume: bool
    """Keep parts that are there already."""

    @property
    def how(self) -> dict[str, Any]:
        """The arguments of :meth:`Reranker.score` that say how long texts are read."""
        return {
            "long_documents": self.long_documents,
            "query_max_tokens": self.query_max_tokens,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a part."""

    part: Part
    counts: Counts = field(default_factory=Counts)
    rows: int = 0
    """Of the file that is there now."""
    kept: bool = False
    """An earlier run had finished it, or something else is there."""
    error: BaseException | None = None
    """What ended it; its file is not there then."""
    note: str = ""
    """Where the lines of it lie that are finished."""


def score_part(job: Job, part: Part, reranker: Reranker, advance: Advance) -> Outcome:
    """Score a part, or see that an earlier run has done so; errors are a part of the outcome."""
    from edge_rerank.cli.parts.lines import score_lines
    from edge_rerank.cli.parts.tables import score_table

    try:
        os.makedirs(os.path.dirname(part.output), exist_ok=True)
        score = score_table if part.form == PARQUET else score_lines
        return score(job, part, reranker, advance)
    except UnfinishedError as error:
        if not isinstance(error.cause, (EdgeRerankError, OSError, MemoryError)):
            raise
        return Outcome(part, error=error.cause, note=error.note)
    except (EdgeRerankError, OSError, MemoryError) as error:
        return Outcome(part, error=error, kept=job.resume and os.path.exists(part.output))


def score_part_on_worker(job: Job, part: Part) -> Outcome:
    """Score a part in a process that keeps the model for the next one."""
    try:
        reranker = _kept(job.loading)
    except (EdgeRerankError, OSError, MemoryError) as error:
        return Outcome(part, error=error)
    return score_part(job, part, reranker, lambda count: None)


@lru_cache(maxsize=1)
def _kept(loading: Loading) -> Reranker:
    return loading.open()
