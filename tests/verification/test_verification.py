"""verify(): what a sound model looks like, and faults of the machine that it must see."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker, verify
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact, load_probes
from edge_rerank.description import Description
from edge_rerank.machine.threads import usable_threads
from edge_rerank.parity.limits import INT8_RMS, RECORDED, limits_for
from edge_rerank.results import ScoredPair
from edge_rerank.verification.probe_run import longest_pair

Logits = Callable[[Sequence[ScoredPair], int], list[float]]
# Multiply-adds of a token: what xsmall computes, and what a Raspberry Pi 4 does in a second.
XSMALL_TOKEN, PI_4, PI_4_CORES = 21.3e6, 20e9, 4


@pytest.fixture
def disturb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Logits], None]:
    """Return a function that lets a machine fault into every score: (scored, threads) to logits."""
    real = Reranker.score

    def install(fault: Logits) -> None:
        def score(self: Reranker, pairs: Any, **options: Any) -> Iterator[ScoredPair]:
            scored = list(real(self, pairs, **options))
            for pair, logit in zip(scored, fault(scored, self.describe().threads), strict=True):
                yield ScoredPair(logit, logit, pair.tokens, pair.truncated)

        monkeypatch.setattr(Reranker, "score", score)

    return install


def failed(**options: Any) -> set[str]:
    return {check.name for check in verify(**options).failures}


def test_the_built_in_model_holds() -> None:
    report = verify()
    assert report.holds, report.failures
    assert isinstance(report.engine, Description)
    assert report.agreement is not None
    recorded = load_artifact(builtin_model()).manifest.parity[RECORDED]
    assert report.agreement.pairs == recorded["pairs"]
    assert report.agreement.sigma == pytest.approx(recorded["sigma"], rel=1e-5)
    names = [check.name for check in report.checks]
    assert names == [
        *("floating_point", "manifest", "checksums", "weights", "config", "vocabulary"),
        *("recorded_parity", "longest_pair", "rms_error", "max_error", "kendall_tau"),
        *("top_k_overlap", "alone", "permuted", "duplicated", "threads"),
    ]
    untried = {check.name for check in report.checks if check.passed is None}
    assert untried == ({"threads"} if usable_threads() == 1 else set())
    facts = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert facts["holds"] is True
    assert {file["name"] for file in facts["files"]} == set(
        load_artifact(builtin_model()).manifest.files
    )


def test_an_fp32_artifact_is_held_to_rounding(artifact_path: Path) -> None:
    report = verify(artifact_path)
    assert report.holds
    assert report.limits is not None
    assert report.limits.source.startswith("fp32")


def test_errors_of_the_machine(artifact_path: Path, disturb: Callable[[Logits], None]) -> None:
    disturb(lambda scored, _: [pair.logit + 0.01 for pair in scored])
    assert failed(path=artifact_path) == {"rms_error", "max_error"}


def test_scores_that_depend_on_company(
    artifact_path: Path, disturb: Callable[[Logits], None]
) -> None:
    disturb(
        lambda scored, _: [float(np.float32(pair.logit + 1e-5 / len(scored))) for pair in scored]
    )
    assert failed(path=artifact_path) >= {"alone", "permuted"}


def test_scores_that_depend_on_the_place(
    artifact_path: Path, disturb: Callable[[Logits], None]
) -> None:
    def fault(scored: Sequence[ScoredPair], _: int) -> list[float]:
        return [float(np.float32(pair.logit + 1e-6 * place)) for place, pair in enumerate(scored)]

    disturb(fault)
    assert "permuted" in failed(path=artifact_path)


@pytest.mark.skipif(usable_threads() == 1, reason="only one thread may run here")
def test_scores_that_depend_on_threads(
    artifact_path: Path, disturb: Callable[[Logits], None]
) -> None:
    disturb(lambda scored, threads: [pair.logit + 1e-5 * (threads == 1) for pair in scored])
    assert failed(path=artifact_path) == {"threads"}
    report = verify(artifact_path, threads=1)
    assert {check.name for check in report.checks if check.passed is None} == {"threads"}


@pytest.mark.skipif(usable_threads() == 1, reason="threads are not compared then")
def test_the_work_is_planned_for_a_small_board() -> None:
    """Less than 30 seconds for the xsmall shape on a Raspberry Pi 4, loading apart."""
    artifact = load_artifact(builtin_model())
    pairs = [(probe.query, probe.document) for probe in load_probes(artifact)]
    with Reranker.load(threads=1) as reranker:
        tokens = [pair.tokens for pair in reranker.score(pairs)]
        (longest,) = reranker.score([longest_pair(pairs, reranker.max_length)])
    assert (longest.tokens, longest.truncated) == (artifact.manifest.max_length, True)
    again = verify().tokens - sum(tokens) - longest.tokens
    # At worst, everything but the first run, and the longest pair in it, is one thread's work.
    work = (sum(tokens) + PI_4_CORES * (longest.tokens + again)) * XSMALL_TOKEN
    assert work / PI_4 < 20


def test_the_exporter_has_the_same_limit() -> None:
    pipeline: Any = pytest.importorskip("edge_rerank_export.pipeline")
    assert pipeline.INT8_LIMIT == INT8_RMS


def test_limits(artifact_path: Path) -> None:
    manifest = load_artifact(builtin_model()).manifest
    recorded = manifest.parity[RECORDED]
    limits = limits_for(manifest, recorded["sigma"])
    assert limits.rms_in_sigma == pytest.approx(recorded["rms_error"] / recorded["sigma"] + 0.02)
    assert limits.kendall_tau == pytest.approx(recorded["kendall_tau"] - 0.02)
    recorded["rms_error"] = recorded["sigma"]
    assert limits_for(manifest, recorded["sigma"]).rms_in_sigma == INT8_RMS
    recorded["rms_error"] = "?"
    assert limits_for(manifest, 2.0).source.startswith("defaults")
    assert limits_for(load_artifact(artifact_path).manifest, 2.0).max_in_sigma == 0.0005
