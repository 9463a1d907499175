"""A model beside its reference on given pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_rerank import InputError, Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.verification.comparison import (
    compare_by_query,
    compare_rerankers,
    comparison_check,
    open_both,
    read_pairs,
    same_checkpoint,
)


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
