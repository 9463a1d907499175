"""Long documents of a request in windows: what it asks for, the pairs that makes, their results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from edge_rerank.results import ScoredPair
from edge_rerank.server.errors import InvalidError
from edge_rerank.server.shapes.work import Work
from edge_rerank.windows.joining import joined
from edge_rerank.windows.options import Reading, reading
from edge_rerank.windows.planning import Plan, Planner

_ACTIVATION = "sigmoid"
"""Of all scores of the server; who asks for logits gets these."""


def reading_of(work: Work, default: Reading) -> Reading:
    """Return how a request's texts are to be read; ``default`` where it does not say."""
    if work.cutting.keep_end:
        return replace(default, windows=None)
    how = default
    if work.long_documents is not None:
        how = replace(default, windows=reading(work.long_documents, None).windows)
    return replace(how, document_max_tokens=work.cutting.document_tokens)


def plan_all(work: Work, planner: Planner, most: int) -> list[Plan]:
    """Plan all pairs; raises InvalidError for more than ``most`` windows, and forbidden cuts."""
    plans: list[Plan] = []
    windows = 0
    for index, (query, document) in enumerate(work.pairs):
        plan = planner.plan(query, document)
        windows += len(plan.pairs)
        if windows > most:
            raise InvalidError(
                f"the documents up to the one at {index} are {windows} windows; {most} is the most "
                "this server takes; lower `max_chunks_per_doc`, or send fewer documents"
            )
        if plan.unread and not plan.as_limited and work.cutting.refuse:
            raise InvalidError(
                f"text {index} is not read whole, and the request forbids that; raise "
                "`max_chunks_per_doc`, shorten it, or allow truncation"
            )
        plans.append(plan)
    return plans


def joined_all(
    plans: Sequence[Plan], scored: Sequence[ScoredPair], how: Reading
) -> list[ScoredPair]:
    """Return a result for each plan, of its pairs' results."""
    rest: Iterator[ScoredPair] = iter(scored)
    return [joined(plan, list(islice(rest, len(plan.pairs))), how, _ACTIVATION) for plan in plans]
