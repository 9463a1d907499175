"""The figures of an agreement, against their definitions and against scipy."""

from __future__ import annotations

import json
import math
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge_rerank
from edge_rerank import ManifestError, Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.parity.agreement import Agreement, agree, kendall_tau, top_overlap, usual_top_k
from edge_rerank.parity.limits import RECORDED, recorded_agreement
from edge_rerank.verification import Verification
from edge_rerank.verification.probe_check import check_probes

FEW = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=25)


@given(FEW)
def test_tau_b_is_its_definition(points: list[tuple[int, int]]) -> None:
    def sign(number: int) -> int:
        return (number > 0) - (number < 0)

    top = left = right = 0
    for place, (a, b) in enumerate(points):
        for c, d in points[:place]:
            top += sign(a - c) * sign(b - d)
            left, right = left + (a != c), right + (b != d)
    expected = top / math.sqrt(left * right) if left and right else 1.0
    one, other = [float(a) for a, _ in points], [float(b) for _, b in points]
    assert kendall_tau(one, other) == pytest.approx(expected, abs=1e-12)


@given(FEW)
def test_tau_b_is_scipys(points: list[tuple[int, int]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    one, other = [a for a, _ in points], [b for _, b in points]
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert kendall_tau(one, other) == pytest.approx(stats.kendalltau(one, other).statistic)


def test_errors_are_in_logits_and_in_sigma() -> None:
    figures = agree([1.0, 2.0, 3.5, 4.0], [1.0, 2.0, 3.0, 5.0])
    assert figures.max_error == 1.0
    assert figures.rms_error == pytest.approx(math.sqrt(1.25 / 4))
    assert figures.sigma == pytest.approx(math.sqrt(8.75 / 4))
    assert figures.max_in_sigma == pytest.approx(1 / figures.sigma)
    assert (figures.kendall_tau, figures.top_k, figures.top_k_overlap) == (1.0, 2, 1.0)


def test_a_reference_without_spread_has_no_unit() -> None:
    assert agree([2.0, 2.0], [2.0, 2.0]).rms_in_sigma == 0
    assert agree([2.0, 2.5], [2.0, 2.0]).alike
    assert not agree([2.0, 2.5], [2.0, 2.1]).alike
    for logits, reference in (([2.0, 2.1], [2.0, 2.0]), ([2.1], [2.0]), ([2, 2.1], [2, 2.0001])):
        usual = agree(logits, reference, usual_sigma=2.0)
        assert usual.alike
        assert usual.sigma == 2.0
        assert usual.max_in_sigma == pytest.approx(0.05, rel=2e-3)
    assert agree([2.0, 3.5], [2.0, 3.0], usual_sigma=9.0).sigma == 0.5
    figures = agree([2.0, 2.5], [2.0, 2.0])
    assert figures.rms_in_sigma == math.inf
    assert figures.to_json()["rms_in_sigma"] is None


def test_overlap_counts_the_best() -> None:
    assert top_overlap([3.0, 2.0, 1.0, 0.0], [0.0, 2.0, 1.0, 3.0], 2) == 0.5
    assert top_overlap([1.0, 1.0, 1.0], [3.0, 2.0, 1.0], 2) == 1.0  # equal: the earlier ones
    assert [usual_top_k(count) for count in (1, 2, 7, 20, 32)] == [1, 1, 3, 10, 10]


FIGURES: dict[str, Any] = {
    "pairs": 34,
    "max_error": 0.16,
    "rms_error": 0.05,
    "sigma": 4.2,
    "kendall_tau": 0.99,
}


def test_an_agreement_survives_the_round_trip() -> None:
    figures = agree([1.0, 2.0, 3.5, 4.0], [1.0, 2.0, 3.0, 5.0])
    assert Agreement.from_json(json.loads(json.dumps(figures.to_json()))) == figures
    assert Agreement.from_json({**FIGURES, "later": 1}) == Agreement(**FIGURES)  # of older releases


@pytest.mark.parametrize(
    "change",
    [
        *({"pairs": 0}, {"pairs": 1.5}, {"pairs": True}, {"max_error": -1}, {"rms_error": None}),
        *({"sigma": "4"}, {"sigma": 1e200}, {"kendall_tau": 1.5}, {"top_k": 10}, {"top_k": 0}),
    ],
)
def test_figures_that_cannot_be(change: dict[str, object]) -> None:
    with pytest.raises(ManifestError, match="recorded: "):
        Agreement.from_json({**FIGURES, **change}, "recorded")
    with pytest.raises(ManifestError):
        Agreement.from_json([1, 2])


def test_the_exporter_the_manifest_and_the_runtime_share_one_type_and_one_error() -> None:
    exporter = pytest.importorskip("edge_rerank_export")
    assert exporter.ParityError is edge_rerank.ParityError
    manifest = load_artifact(builtin_model()).manifest
    recorded = recorded_agreement(manifest)
    names = (*FIGURES, "top_k", "top_k_overlap", "alike")
    assert recorded == Agreement(**{name: manifest.parity[RECORDED][name] for name in names})
    types = get_type_hints(exporter.ExportReport)
    assert (types["fp32"], types["int8"]) == (Agreement, Agreement | None)
    with Reranker.load() as reranker:
        assert isinstance(check_probes(reranker), Agreement)
    assert get_type_hints(Verification)["agreement"] == Agreement | None
