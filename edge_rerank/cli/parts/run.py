"""A folder of parts from beginning to end: what was finished is kept, whatever ends the run."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from edge_rerank.cli.failures import UnfinishedError
from edge_rerank.cli.output import GOES_ON
from edge_rerank.cli.parts.job import Advance, Job, Outcome, score_part
from edge_rerank.cli.parts.plan import Part, check_output, find_parts
from edge_rerank.cli.progress import ProgressLine
from edge_rerank.cli.scoring import Counts
from edge_rerank.cli.streams import say
from edge_rerank.errors import EdgeRerankError
from edge_rerank.reading.entries import PARQUET


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where parts are scored, if it is not here."""

    name: str
    address: str | None
    workers: int | None


def score_folder(
    job: Job, folder: str, output: str, form: str, *, resume: bool, cluster: Cluster | None
) -> None:
    """Score all files of a folder into another; raises UnfinishedError, which says what is there.

    ``resume`` goes on after parts that are there already.
    """
    check_output(folder, output, resume=resume)
    score_parts(job, find_parts(folder, output, form), output, cluster)


def score_parts(job: Job, parts: Sequence[Part], output: str, cluster: Cluster | None) -> None:
    """Score parts, each whole or not at all."""
    if parts[0].form == PARQUET:
        from edge_rerank.cli.parts.schema import check_tables

        check_tables(job, parts)
    finished: list[Outcome] = []
    failed: Outcome | None = None
    with closing(ProgressLine("pairs", share=lambda: len(finished) / len(parts))) as bar:
        advance = _Counting(bar)
        try:
            with closing(_outcomes(job, parts, cluster, advance)) as outcomes:
                for outcome in outcomes:
                    if outcome.error is not None:
                        failed = outcome
                        break
                    finished.append(outcome)
                    if outcome.kept or cluster is not None:
                        advance(outcome.rows)
        except UnfinishedError as error:
            raise UnfinishedError(
                error.cause, _note(error.note, finished, parts, output)
            ) from error
        except BaseException as error:
            raise UnfinishedError(error, _note("", finished, parts, output)) from error
    if failed is not None:
        wrong = failed.kept  # nothing was being done, and the same command would not help
        note = failed.note if wrong else _note(failed.note, finished, parts, output)
        raise UnfinishedError(_named(failed), note) from failed.error
    kept = sum(outcome.kept for outcome in finished)
    if kept:
        say(f"edge-rerank: {kept:,} of {len(parts):,} parts were finished already")
    counts = sum((outcome.counts for outcome in finished), Counts())
    counts.check(job.on_error, scored=sum(outcome.rows for outcome in finished))


class _Counting:
    """Shows how many pairs are done."""

    def __init__(self, bar: ProgressLine) -> None:
        self._bar, self._count = bar, 0

    def __call__(self, count: int) -> None:
        self._count += count
        self._bar.show(self._count)


def _outcomes(
    job: Job, parts: Sequence[Part], cluster: Cluster | None, advance: Advance
) -> Generator[Outcome, None, None]:
    yield from _here(job, parts, advance) if cluster is None else _there(job, parts, cluster)


def _here(job: Job, parts: Sequence[Part], advance: Advance) -> Iterator[Outcome]:
    with job.loading.open() as reranker:
        for part in parts:
            yield score_part(job, part, reranker, advance)


def _there(job: Job, parts: Sequence[Part], cluster: Cluster) -> Iterator[Outcome]:
    from edge_rerank.cli.parts.clusters import outcomes

    return outcomes(job, parts, cluster.name, cluster.address, cluster.workers)


def _named(outcome: Outcome) -> BaseException:
    """Return the error of a part; it names the part."""
    error, source = outcome.error, outcome.part.source
    assert error is not None
    if isinstance(error, EdgeRerankError) and source not in str(error):
        error.args = (f"{source}: {error}",)
    return error


def _note(note: str, finished: Sequence[Outcome], parts: Sequence[Part], output: str) -> str:
    """Say what is there, after what is said of the part that is not."""
    if len(parts) == 1:
        return note
    done = f"{len(finished):,} of {len(parts):,} parts are finished in {output}; {GOES_ON}"
    return "; ".join(part for part in (note.removesuffix(f"; {GOES_ON}"), done) if part)
