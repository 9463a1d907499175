"""A part of lines: scored into JSON Lines, which a later run goes on after where it was ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_rerank.cli.failures import UnfinishedError
from edge_rerank.cli.leftovers import whole_lines
from edge_rerank.cli.output import Output, open_output
from edge_rerank.cli.parts.job import Advance, Job, Outcome
from edge_rerank.cli.parts.plan import Part
from edge_rerank.cli.resuming import after_leftover
from edge_rerank.cli.scoring import SKIP, Counts, JsonLines, Scorer, lines_of
from edge_rerank.cli.streams import say
from edge_rerank.errors import InputError
from edge_rerank.reading.entries import Entries, open_entries
from edge_rerank.reranker import Reranker


def score_lines(job: Job, part: Part, reranker: Reranker, advance: Advance) -> Outcome:
    """Score a part, or hold what is there to it; raises UnfinishedError."""
    with open_entries(part.source, part.form) as entries:
        if job.resume and Path(part.output).exists():
            return Outcome(part, rows=_check_finished(job, part, entries, reranker), kept=True)
        # Nothing but what an earlier attempt at this part left can be there to go on after.
        output = open_output(part.output, resume=True)
        counts = write_lines(job, entries, output, lambda: reranker, advance)
        return Outcome(part, counts, output.lines)


def write_lines(
    job: Job,
    entries: Entries,
    output: Output,
    opened: Callable[[], Reranker],
    advance: Advance,
) -> Counts:
    """Score entries into an output, after what it has already; raises UnfinishedError.

    ``opened`` returns the model.
    """
    members = job.members
    lines = lines_of(
        entries, query_field=job.query_field, text_field=job.text_field, members=members
    )
    try:
        scorer = _scorer(job, opened())
        if output.leftover is not None:
            say(f"edge-rerank: going on after line {output.lines:,} of {output.leftover.path}")
            lines = after_leftover(lines, output.leftover, scorer, members)
        for batch in scorer.batches(lines, job.at_a_time):
            output.write(batch)
            advance(len(batch))
        output.publish()
    except BaseException as error:
        raise UnfinishedError(error, output.stop()) from error
    return scorer.counts


def _scorer(job: Job, reranker: Reranker) -> Scorer[str]:
    return Scorer(
        reranker, JsonLines(job.members), logits=job.logits, on_error=job.on_error, how=job.how
    )


def _check_finished(job: Job, part: Part, entries: Entries, reranker: Reranker) -> int:
    """Raise InputError unless the output is what this part becomes; return its lines."""
    again = f"remove it to score {part.source} again, or name another --output"
    found = whole_lines(Path(part.output))
    lines = lines_of(
        entries, query_field=job.query_field, text_field=job.text_field, members=job.members
    )
    rest = after_leftover(lines, found, _scorer(job, reranker), job.members, again)
    more = next((line for line in rest if line.problem is None or job.on_error != SKIP), None)
    if more is not None:
        raise InputError(
            f"{part.output}: has {found.lines:,} lines, and ends before {more.place}: it is from "
            f"another input; {again}"
        )
    return found.lines
