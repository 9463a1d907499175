"""One result of a document's windows."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace

from edge_rerank.results import ScoredPair, Window, activated
from edge_rerank.windows.options import Reading
from edge_rerank.windows.planning import Plan


def joined(
    plan: Plan, scored: Sequence[ScoredPair], reading: Reading, activation: str
) -> ScoredPair:
    """Return a document's result, from those of the pairs that were planned for it."""
    if plan.spans is None or reading.windows is None:
        return replace(scored[0], truncated=scored[0].truncated or plan.unread)
    logits = [pair.logit for pair in scored]
    logit = _mean(heapq.nlargest(reading.windows.mean_of_best, logits))
    windows = (
        Window(start, end, pair.score, pair.logit, pair.tokens)
        for (start, end), pair in zip(plan.spans, scored, strict=True)
    )
    return ScoredPair(
        score=activated(logit, activation),
        logit=logit,
        tokens=sum(pair.tokens for pair in scored),
        truncated=plan.unread or any(pair.truncated for pair in scored),
        windows=tuple(windows),
    )


def _mean(logits: Sequence[float]) -> float:
    """Return the mean, as float32 has it; of one logit, that logit."""
    if len(logits) == 1:
        return logits[0]
    import numpy as np

    return float(np.float32(sum(logits) / len(logits)))
