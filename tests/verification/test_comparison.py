"""A model beside its reference on given pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_rerank import InputError, Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import Probe, write_manifest, write_probes
from edge_rerank.cli import main
from edge_rerank.verification.comparison import (
    compare_by_query,
    compare_rerankers,
    comparison_check,
    open_both,
    read_pairs,
    same_checkpoint,
)
from tests.conftest import PROBES, build_artifact, tiny_manifest


def test_figures_by_query() -> None:
    queries = ["a", "b", "a", "b", "c", "a"]
    reference = [1.0, 1.0, 2.0, 2.0, 9.0, 3.0]
    found = compare_by_query(queries, [1.0, 3.0, 2.0, 2.0, 9.0, 3.0], reference)
    assert found.queries == 2  # one of three has one document
    assert found.tau_by_query == 0.0  # 1 and -1
    assert found.overlap_by_query == 0.5
    assert found.overall.max_error == 2.0
    alone = compare_by_query(["a", "b"], [1.0, 2.0], [1.0, 2.0])
    assert (alone.queries, alone.tau_by_query, alone.overlap_by_query) == (0, None, None)


def test_two_rerankers(artifact_path: Path) -> None:
    pairs = [("how do plants eat", text) for text in ("light", "water " * 300, "steel bridge")]
    counts: list[int] = []
    with open_both(artifact_path, artifact_path, threads=1) as (model, reference):
        assert reference is not None
        assert same_checkpoint(model, reference)
        found = compare_rerankers(model, reference, pairs, progress=counts.append)
        with pytest.raises(InputError, match="no pairs"):
            compare_rerankers(model, reference, [])
    assert found.overall.max_error == 0
    assert counts == list(range(1, 7))
    with open_both(artifact_path, None) as (model, reference):
        assert reference is None


def test_lengths_are_those_of_the_shorter(artifact_path: Path) -> None:
    with open_both(None, artifact_path) as (model, reference):
        assert isinstance(reference, Reranker)
        assert model.max_length == reference.max_length < model.artifact.manifest.max_length
        assert not same_checkpoint(model, reference)


def test_a_reference_is_fp32(artifact_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"mini: is int8; .*--precision fp32"),
        open_both(artifact_path, builtin_model()),
    ):
        pass


def test_tolerance() -> None:
    found = compare_by_query(["a"] * 3, [0.0, 1.0, 2.3], [0.0, 1.0, 2.0])
    ratio = np.sqrt(0.09 / 3) / np.std([0, 1, 2])
    assert comparison_check("x", found, 0.22).passed is True
    check = comparison_check("x", found, 0.2)
    assert check.passed is False
    assert check.value == pytest.approx(ratio)
    assert check.expected == "at most 0.2 sigma"


def test_a_file_without_pairs(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match=r"has no pairs; expected lines such as \{"):
        read_pairs(str(tmp_path / "pairs.jsonl"), query_field="query", text_field="document")


def shifted(folder: Path, by: float) -> Path:
    """Make an artifact whose logits are ``by`` larger for a pair, give or take its positions."""
    import onnx

    build_artifact(folder)
    model = onnx.load(str(folder / "model.onnx"))
    (weights,) = (tensor for tensor in model.graph.initializer if tensor.name == "weights")
    values = onnx.numpy_helper.to_array(weights) + np.float32(by)
    weights.CopyFrom(onnx.numpy_helper.from_array(values, "weights"))
    onnx.save(model, str(folder / "model.onnx"))
    write_manifest(folder, tiny_manifest())
    with Reranker.load(folder, self_check=False) as reranker:
        logits = reranker.predict(PROBES, scores="logits").tolist()
    probes = (Probe(*pair, logit) for pair, logit in zip(PROBES, logits, strict=True))
    write_probes(folder, tuple(probes))
    write_manifest(folder, tiny_manifest())
    return folder


@pytest.mark.parametrize("pairs", [[("lift", "wing")], [("lift", "wing"), ("lift", "wing")] * 20])
def test_pairs_that_all_score_alike(
    pairs: list[tuple[str, str]], artifact_path: Path, tmp_path: Path
) -> None:
    """One pair, or many alike, give no sigma: that of the probe pairs is the unit."""
    near, far = shifted(tmp_path / "near", 0.01), shifted(tmp_path / "far", 0.5)
    for reference, passed in ((near, True), (far, False)):
        with open_both(artifact_path, reference) as (model, exact):
            assert exact is not None
            found = compare_rerankers(model, exact, pairs)
        check = comparison_check("rms", found, 0.1)
        assert check.passed is passed
        assert "sigma is that of the reference's probe pairs" in check.found
        assert found.overall.sigma > 0.1
        assert 0 < found.overall.rms_in_sigma < 2


def test_where_not_even_the_probe_pairs_differ_nothing_is_judged() -> None:
    found = compare_by_query(["a", "a"], [1.0, 1.25], [1.0, 1.0], usual_sigma=0.0)
    check = comparison_check("rms", found, 0.1)
    assert check.passed is None
    assert "neither the pairs nor the probe pairs differ" in check.found


def test_verify_of_pairs_that_all_score_alike_holds(
    artifact_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, pairs = shifted(tmp_path / "near", 0.01), tmp_path / "pairs.jsonl"
    pairs.write_text('{"query": "lift", "document": "wing"}\n' * 5)
    own = ["--reference", str(reference), "--pairs", str(pairs)]
    assert main(["verify", str(artifact_path), *own]) == 0
    shown = capsys.readouterr().out
    assert "inf" not in shown
    assert "these all score alike" in shown
