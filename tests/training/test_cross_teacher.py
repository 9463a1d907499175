"""The cross-encoder as a third teacher: its weights, its export, its lists and what it adds."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank.engines.onnx.runtime import disable_telemetry

disable_telemetry()
torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("transformers")
pytest.importorskip("optimum.onnxruntime")

from transformers import BertForSequenceClassification  # noqa: E402

from edge_rerank.artifact.builtin import builtin_model  # noqa: E402
from edge_rerank_training import cross_teacher, taught, upper  # noqa: E402
from edge_rerank_training.cross_teacher import (  # noqa: E402
    cross_artifact,
    cross_logits,
    write_cross_teacher,
)
from edge_rerank_training.errors import TrainingError  # noqa: E402
from edge_rerank_training.kept_rows import kept_rows  # noqa: E402
from edge_rerank_training.passages import Passage  # noqa: E402
from edge_rerank_training.queries import Query  # noqa: E402
from edge_rerank_training.second_teacher import PACKAGE  # noqa: E402
from edge_rerank_training.taught import crossed_lists, drawn_lists, list_weights  # noqa: E402
from edge_rerank_training.token_states import StateMaker  # noqa: E402
from edge_rerank_training.upper import CROSS_WEIGHT, centred, taken_columns  # noqa: E402
from tests.conftest import word_tokenizer  # noqa: E402

from .test_dequantised import SIZES, written  # noqa: E402
from .test_segments import silent, small_model, training_lists  # noqa: E402
from .test_upper import made  # noqa: E402

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def package(folder: Path, without: str = "") -> BertForSequenceClassification:
    """Write the teacher as its package holds it: no config, and a tokenizer of few words."""
    model: BertForSequenceClassification = written(folder, head=True, without=without)
    (folder / "config.json").unlink()
    word_tokenizer().save(str(folder / TOKENIZER[0]))
    (folder / TOKENIZER[1]).write_text(json.dumps({"tokenizer_class": "BertTokenizerFast"}))
    (folder / TOKENIZER[2]).write_text("{}")
    return model


def test_the_file_s_weights_with_its_head_are_a_checkpoint(tmp_path: Path) -> None:
    model = package(tmp_path / "reranker_en")
    write_cross_teacher(
        tmp_path / "reranker_en", tmp_path / "checkpoint", SIZES | {"num_labels": 1}
    )
    found = BertForSequenceClassification.from_pretrained(tmp_path / "checkpoint")
    assert found.config.num_labels == 1
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(found.state_dict()[name], value, rtol=1e-6, err_msg=name)
    assert all((tmp_path / "checkpoint" / name).is_file() for name in TOKENIZER)


@pytest.mark.parametrize("name", ["classifier.weight", "bert.pooler.dense.weight"])
def test_a_head_that_is_missing_is_named(name: str, tmp_path: Path) -> None:
    package(tmp_path / "reranker_en", without=name)
    with pytest.raises(TrainingError, match=f"reranker_en/model.onnx has no weights for {name}"):
        write_cross_teacher(
            tmp_path / "reranker_en", tmp_path / "checkpoint", SIZES | {"num_labels": 1}
        )


def test_logits_of_lists_are_those_of_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_teacher, "LISTS_PER_CALL", 2)
    queries = ["how do plants eat", "capital of france"]
    passages = ["Plants make sugar from light.", "Paris is the capital.", "Steel rusts."]
    rows, owners = np.array([[0, 2], [1, 0], [1, 2]]), np.array([0, 1, 1])
    found = cross_logits(builtin_model, queries, passages, rows, owners, 1, silent)
    assert found.shape == (3, 2)
    assert (found[:, 0] > found[:, 1]).all()
    alone = cross_logits(builtin_model, queries, passages, rows[2:], owners[2:], 1, silent)
    np.testing.assert_array_equal(found[2:], alone)


def test_kept_logits_need_no_teacher(tmp_path: Path) -> None:
    def gone() -> Path:
        raise AssertionError("asked for")

    texts, one = ["capital of france", "Paris is the capital."], np.array([[1]])
    given = texts, texts, one, np.array([0]), 1, silent, tmp_path / "logits.npy"
    found = cross_logits(builtin_model, *given)
    np.testing.assert_array_equal(cross_logits(gone, *given), found)


def test_lists_are_drawn_by_source_and_query() -> None:
    def said(source: str) -> Passage:
        return Passage(source, "d", 0, "", "", "text", "", False)

    def asked(words: int) -> Query:
        return Query("s", "heading", "word " * words, 0, (0,), False)

    passages = [said("many")] * 900 + [said("few")] * 100
    queries = [asked(3), asked(9)] * 500
    model, encoder = small_model()
    lists, _ = training_lists(model, encoder)
    every = np.arange(1000)
    lists = replace(lists, rows=every[:, None], owners=every)
    weights = list_weights(lists, passages, queries)
    drawn = drawn_lists(weights, 200)
    assert len(set(drawn.tolist())) == 200
    few = int((drawn >= 900).sum())
    assert few > 30  # of 20 that a tenth would be
    assert np.mean(drawn % 2) > 0.55  # the longer queries
    np.testing.assert_array_equal(drawn, drawn_lists(weights, 200))
    np.testing.assert_array_equal(drawn_lists(weights[:9], 200), np.arange(9))


def test_read_lists_keep_their_logits_and_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, encoder = small_model()
    lists, _ = training_lists(model, encoder)
    passages = [Passage("s", "d", i, "", "", f"passage {i}", "", False) for i in range(30)]
    queries = [Query("s", "heading", f"query {i}", i, (i,), False) for i in range(30)]
    asked: list[int] = []

    def logits(_: Any, asked_by: list[str], texts: list[str], rows: np.ndarray, *others: Any):  # type: ignore[no-untyped-def]
        assert (asked_by[3], texts[4]) == ("query 3", "passage 4")

        def fill(found: np.ndarray, part: int) -> None:
            asked.append(len(rows))
            found[:] = rows

        return kept_rows(others[-1], rows.shape, np.float32, 1, str, fill)

    monkeypatch.setattr(taught, "cross_artifact", lambda work, say: work)
    monkeypatch.setattr(taught, "cross_logits", logits)
    maker = StateMaker(model, encoder, tmp_path, "float32", "k", silent)
    for _ in range(2):
        some, numbers = crossed_lists(maker, lists, passages, queries, 12, 1)
        assert some.third is not None
        np.testing.assert_array_equal(some.third, lists.rows[numbers])
    assert asked == [12]
    half = some.some(some.owners < 15)
    np.testing.assert_array_equal(half.third, half.rows)
    assert len(half.wanted) == len(half.rows) == int((some.owners < 15).sum())


def test_the_third_teacher_is_added_in_deviations_within_lists() -> None:
    *_, lists, _ = made()
    assert not lists.crossed.any()
    logits = np.random.default_rng(0).normal(size=lists.rows.shape).astype(np.float32) * 7
    read = replace(lists, third=logits)
    mixed = np.stack([lists.mixture(lists.owners[i : i + 1], lists.rows[i])[0] for i in range(30)])
    assert read.crossed.std() == pytest.approx(CROSS_WEIGHT * centred(mixed).std(), rel=1e-4)
    np.testing.assert_allclose(
        read.crossed / read.crossed.std(), centred(logits) / centred(logits).std(), rtol=1e-4
    )


def test_some_steps_take_lists_that_ask_for_like_things(monkeypatch: pytest.MonkeyPatch) -> None:
    *_, lists, _ = made()
    lists = replace(lists, first=lists.second)  # vectors that differ
    monkeypatch.setattr(upper, "NEAR_SHARE", 0.0)
    drawn = np.concatenate([lists.drawn(0, begun, 5) for begun in (0, 5, 10)])
    assert len(set(drawn.tolist())) == 15
    monkeypatch.setattr(upper, "NEAR_SHARE", 1.0)
    near = lists.drawn(0, 0, 5)
    vectors = lists.first[0][lists.owners]
    assert set(near.tolist()) == set(np.argsort(-(vectors @ vectors[near[0]]))[:5].tolist())
    drawn = np.stack([lists.drawn(0, begun, 5) for begun in range(0, 50, 5)])
    assert len(np.unique(drawn[:, 0])) > 3  # not the same ones each time


@pytest.mark.parametrize("width", [4, 8])
def test_the_answer_and_the_off_topic_passage_are_always_taken(width: int) -> None:
    taken = taken_columns(width, np.random.default_rng(0))
    assert (taken[0], taken[-1]) == (0, width - 1)
    assert len(set(taken.tolist())) == len(taken) == min(width, upper.PASSAGES)


@pytest.mark.slow
def test_the_teacher_in_its_package_ranks_and_is_exported_once(tmp_path: Path) -> None:
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip(f"the package {PACKAGE} is not installed")
    said: list[str] = []
    artifact = cross_artifact(tmp_path, said.append)
    assert cross_artifact(tmp_path, said.append) == artifact
    assert said == ["exporting the third teacher"]
    passages = ["Paris is the capital and largest city of France.", "A file smooths rough edges."]
    queries = ["what is the capital of france"]
    rows, owners = np.array([[0, 1]]), np.array([0])
    (found,) = cross_logits(lambda: artifact, queries, passages, rows, owners, 1, silent)
    assert found[0] > 5 > 0 > found[1]
