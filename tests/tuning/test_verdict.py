"""The verdict follows the interval."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("edge_rerank_tuning")
pytest.importorskip("torch")

from edge_rerank.evaluation.bootstrap import Estimate
from edge_rerank.evaluation.figures import ModelComparison, PairedDifference
from edge_rerank_tuning.verdict import AFTER, BEFORE, verdict_of


def comparison(low: float, high: float) -> ModelComparison:
    estimate = Estimate((low + high) / 2, low, high)
    differences = tuple(
        PairedDifference("shuffled", measure, system, baseline, value)
        for measure, system, baseline, value in (
            ("nDCG@10", BEFORE, "shuffled", Estimate(0.5, 0.4, 0.6)),
            ("nDCG@10", AFTER, "shuffled", Estimate(0.5, 0.4, 0.6)),
            ("nDCG@10", AFTER, BEFORE, estimate),
            ("MRR@10", AFTER, BEFORE, Estimate(0.5, 0.4, 0.6)),
        )
    )
    return ModelComparison(
        collection="c", documents=1, queries=1, judged_queries=1, seed=None, depth=1,
        first_stages=(), models=(), systems=(), differences=differences,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "word", "sentence"),
    [
        (0.01, 0.03, "better", r"better: nDCG@10 \+0.0200 .*\+0.0100 to \+0.0300"),
        (-0.03, -0.01, "worse", "worse: nDCG@10 -0.0200 .*keep the model that you have"),
        (-0.01, 0.03, "undecided", "not shown to be better: nDCG@10 .*judge more queries"),
        (0.0, 0.03, "undecided", "not shown to be better"),
    ],
)
def test_the_interval_decides(low: float, high: float, word: str, sentence: str) -> None:
    verdict = verdict_of(comparison(low, high))
    assert (verdict.word, verdict.better) == (word, word == "better")
    assert re.match(sentence, verdict.sentence())
