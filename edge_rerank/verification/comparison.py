"""A model beside its fp32 reference on the user's own pairs: figures overall and query by query."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact, load_probes
from edge_rerank.errors import InputError
from edge_rerank.pairs import Pair
from edge_rerank.parity.agreement import (
    ALIKE,
    Agreement,
    agree,
    kendall_tau,
    spread,
    top_overlap,
    usual_top_k,
)
from edge_rerank.reading.entries import open_entries
from edge_rerank.reading.objects import text_under
from edge_rerank.reranker import AT_A_TIME, Reranker
from edge_rerank.verification.checks import Check

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a model's logits are from the reference's, over pairs of the user's own."""

    overall: Agreement
    """Over all pairs, whichever query they belong to."""
    queries: int
    """Queries with at least two documents: those that rank anything."""
    tau_by_query: float | None
    """Mean over those queries of Kendall's tau-b of the documents; None without such queries."""
    overlap_by_query: float | None
    """Mean over them of the overlap of the best 10, or half of fewer than 20 documents."""

    def to_json(self) -> dict[str, object]:
        """Return all figures as JSON values."""
        return {
            "overall": self.overall.to_json(),
            "queries": self.queries,
            "tau_by_query": self.tau_by_query,
            "overlap_by_query": self.overlap_by_query,
        }


def read_pairs(name: str, *, query_field: str, text_field: str) -> list[Pair]:
    """Read pairs as ``edge-rerank score`` reads them: JSON Lines, a JSON array or a table.

    Raises InputError, naming file and line, for what is not a pair, and for a file without any.
    """
    pairs: list[Pair] = []
    with open_entries(name) as entries:
        for entry in entries:
            record = entry.record()
            query = text_under(record, query_field, entry.place, "query_field")
            pairs.append((query, text_under(record, text_field, entry.place, "text_field")))
    if not pairs:
        raise InputError(f"{name}: has no pairs; expected lines such as {_EXAMPLE}")
    return pairs


_EXAMPLE = '{"query": "how do plants eat", "document": "Photosynthesis ..."}'


@contextmanager
def open_both(
    path: str | os.PathLike[str] | None,
    reference: str | os.PathLike[str] | None,
    **options: Any,
) -> Iterator[tuple[Reranker, Reranker | None]]:
    """Load a model and, unless it is None, the fp32 reference, cut to the same length.

    ``options`` are those of :meth:`Reranker.load`, for the model; the reference gets the threads.
    Raises InputError when the reference is not fp32, and what :meth:`Reranker.load` does.
    """
    if reference is None:
        with Reranker.load(path, **options) as model:
            yield model, None
        return
    ours = load_artifact(builtin_model() if path is None else path, verify=False).manifest
    theirs = load_artifact(reference, verify=False).manifest
    if theirs.precision != "fp32":
        raise InputError(
            f"{os.fspath(reference)}: is {theirs.precision}; a reference is an fp32 artifact: "
            "export the checkpoint with --precision fp32"
        )
    length = min(ours.max_length, theirs.max_length)
    with (
        Reranker.load(path, max_length=length, **options) as model,
        Reranker.load(reference, max_length=length, threads=options.get("threads")) as exact,
    ):
        yield model, exact


def same_checkpoint(one: Reranker, other: Reranker) -> bool:
    """Whether both were made from the same file of weights."""
    sources = (one.artifact.manifest.source, other.artifact.manifest.source)
    return sources[0].checkpoint_sha256 == sources[1].checkpoint_sha256


def compare_rerankers(
    reranker: Reranker,
    reference: Reranker,
    pairs: Sequence[Pair],
    *,
    progress: Progress | None = None,
) -> Comparison:
    """Score the same pairs with both; ``progress`` counts the pairs of both, one after the other.

    Raises InputError without pairs, and what scoring raises.
    """
    if not pairs:
        raise InputError("there are no pairs to compare on")
    exact = logits_of(reference, pairs, progress)
    found = logits_of(reranker, pairs, progress, done=len(pairs))
    queries = [query for query, _ in pairs]
    return compare_by_query(queries, found, exact, usual_sigma=usual_sigma(reference))


def usual_sigma(reranker: Reranker) -> float | None:
    """Return the standard deviation of the probe pairs' logits, which differ; None without any."""
    probes = load_probes(reranker.artifact)
    return spread([probe.logit for probe in probes]) if probes else None


def comparison_check(name: str, found: Comparison, tolerance: float) -> Check:
    """Hold the rms error over all pairs to ``tolerance``, in sigma of the reference's logits.

    Pairs that all score alike have no sigma: that of the reference's probe pairs is the unit then,
    and where those are alike too there is nothing to judge an error by.
    """
    overall = found.overall
    ratio = overall.rms_in_sigma
    text = f"{ratio:.4f} sigma ({overall.rms_error:.4f} logits)"
    if overall.alike:
        text += "; the pairs all score alike, so sigma is that of the reference's probe pairs"
    if overall.alike and overall.sigma < ALIKE:
        text = f"{overall.rms_error:.4f} logits; neither the pairs nor the probe pairs differ"
        return Check(name, None, text, f"at most {tolerance:.4g} sigma")
    remedy = "int8 costs more on these texts than is allowed: see the parity at export, or use fp32"
    expected = f"at most {tolerance:.4g} sigma"
    return Check(name, ratio <= tolerance, text, expected, remedy, ratio, tolerance)


def logits_of(
    reranker: Reranker, pairs: Iterable[Pair], progress: Progress | None = None, done: int = 0
) -> list[float]:
    """Score pairs; ``progress`` is told how many are done, ``done`` of them before."""
    logits: list[float] = []
    for pair in reranker.score(pairs, scores="logits", at_a_time=4 * AT_A_TIME):
        logits.append(pair.logit)
        if progress is not None:
            progress(done + len(logits))
    return logits


def compare_by_query(
    queries: Sequence[str],
    logits: Sequence[float],
    reference: Sequence[float],
    *,
    usual_sigma: float | None = None,
) -> Comparison:
    """Compare logits of the same pairs, in the same order; equal queries belong together.

    ``usual_sigma`` is the unit of errors where the reference logits are all alike.
    """
    places: dict[str, list[int]] = {}
    for place, query in enumerate(queries):
        places.setdefault(query, []).append(place)
    taus, overlaps = [], []
    for group in places.values():
        if len(group) > 1:
            one, other = [logits[i] for i in group], [reference[i] for i in group]
            taus.append(kendall_tau(one, other))
            overlaps.append(top_overlap(one, other, usual_top_k(len(group))))
    overall = agree(logits, reference, usual_sigma=usual_sigma)
    return Comparison(overall, len(taus), _mean(taus), _mean(overlaps))


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
