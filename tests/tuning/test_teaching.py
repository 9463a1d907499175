"""The teacher: which mixture is chosen, what it says of each passage, and what is read again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("edge_rerank_tuning")

import numpy as np

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank_export.checkpoint import open_checkpoint
from edge_rerank_tuning import teaching
from edge_rerank_tuning.examples import JudgedQuery
from edge_rerank_tuning.lists import Draws, drawn
from edge_rerank_tuning.model import TunedModel
from edge_rerank_tuning.progress import Told
from edge_rerank_tuning.synthetic import beginning, synthetic_queries
from edge_rerank_tuning.teaching import taught
from tests.export.conftest import VARIANTS, Make
from tests.support.judged import write_lines
from tests.tuning.conftest import Tune

MODEL = builtin_model()
SILENT = Told(lambda line: None, lambda what, done, total: None)


def searched(number: int, count: int = 8) -> JudgedQuery:
    """Return a query whose relevant passage BM25 found last, and the built-in model finds first."""
    texts = [f"plants {number} {place}: steel bridges" for place in range(count - 1)]
    texts.append(f"plants make sugar from light, number {number}")
    found = {text: float(count - place) for place, text in enumerate(texts)}
    return JudgedQuery(f"how do plants eat {number}", "f:1", {texts[-1]: 1.0}, found=found)


def learned(queries: Any, work: Path, made: Any = (), size: int = 8, model: Path = MODEL) -> Any:
    return taught(queries, made, model, size=size, threads=1, work=work, told=SILENT)


def test_the_mixture_is_what_ranks_the_training_queries_best(
    tmp_path: Path, artifact_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(queries: Any, *others: Any) -> list[dict[str, Any]]:
        """Let the model be wrong, and the built-in one or BM25 right."""
        return [{"own": wrong, "built_in": right, "bm25": -right} for _ in queries]

    wrong, right = np.array([2.0, 1.0, 0.9]), np.array([0.0, 1.0, 5.0])
    grades = {"c": 1.0}
    query = JudgedQuery("q", "f:1", grades, found={"a": 3.0, "b": 2.0, "c": 1.0})
    monkeypatch.setattr(teaching, "_read", read)
    found, teacher = learned([query], tmp_path, model=artifact_path)
    assert (teacher.built_in, teacher.bm25) == (1.0, 0.0)
    assert "is the model as it is and 1 of the built-in one: nDCG@10" in teacher.sentence()
    assert teacher.ndcg > teacher.ndcg_alone == pytest.approx(0.5)
    assert teacher.spread == pytest.approx(wrong.std())
    targets = [*found[0].targets.values()]
    assert np.mean(targets) == pytest.approx(1.3)
    assert np.std(targets) == pytest.approx(wrong.std())
    right = -right  # now BM25 is right
    found, teacher = learned([query], tmp_path, model=artifact_path)
    assert (teacher.built_in, teacher.bm25) == (0.0, 1.0)
    assert "is the model as it is and 1 of BM25: nDCG@10" in teacher.sentence()


def test_a_model_that_nothing_makes_better_teaches_itself(tmp_path: Path) -> None:
    queries = tuple(searched(number) for number in range(3))
    found, teacher = learned(queries, tmp_path)
    assert (teacher.built_in, teacher.bm25, teacher.ndcg) == (0.0, 0.0, 1.0)
    kept = json.loads((tmp_path / "teacher.json").read_text())
    assert [*found[0].targets.values()] == pytest.approx(kept["own"][:8])
    assert "built_in" not in kept  # it is the built-in one: nobody reads it twice
    assert "is the model as it is: nDCG@10" in teacher.sentence()


def test_what_the_models_said_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = learned([searched(1)], tmp_path)
    monkeypatch.setattr(teaching, "Reranker", None)
    assert learned([searched(1)], tmp_path) == first
    with pytest.raises(AttributeError):
        learned([searched(2)], tmp_path)


def test_what_one_model_said_is_kept_where_the_other_is_interrupted(
    tmp_path: Path, artifact_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load(path: Path | None, **options: Any) -> Any:
        asked.append(path)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(path, **options)

    real = teaching.Reranker.load
    monkeypatch.setattr(teaching.Reranker, "load", load)
    with pytest.raises(KeyboardInterrupt):
        learned([searched(1)], tmp_path, model=artifact_path)
    learned([searched(1)], tmp_path, model=artifact_path)
    assert asked == [artifact_path, None, None]


@pytest.mark.parametrize("save_seconds", [0.0, 1e9])
def test_a_reading_that_is_interrupted_is_gone_on_with(
    save_seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Ctrl-C with what was read to the last passage; by a kill with what was saved by then."""
    queries = [searched(1), searched(2)]
    (tmp_path / "whole").mkdir()
    whole, _ = learned(queries, tmp_path / "whole")
    asked = []

    def score(reranker: Any, pairs: list[Any], **options: Any) -> Any:
        asked.append(len(pairs))
        for place, scored in enumerate(real(reranker, pairs, **options)):
            if len(asked) == 1 and place == 11:
                if save_seconds == 0.0:  # what a kill would leave
                    monkeypatch.setattr(teaching, "write_json", lambda *_: None)
                raise KeyboardInterrupt
            yield scored

    real, write = teaching.Reranker.score, teaching.write_json
    monkeypatch.setattr(teaching, "_SAVE_SECONDS", save_seconds)
    monkeypatch.setattr(teaching.Reranker, "score", score)
    with pytest.raises(KeyboardInterrupt):
        learned(queries, tmp_path)
    monkeypatch.setattr(teaching, "write_json", write)
    again, _ = learned(queries, tmp_path)
    assert asked == [16, 5]
    assert [query.targets for query in again] == [query.targets for query in whole]


def test_many_queries_have_fewer_passages_each_from_best_to_worst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teaching, "TAUGHT_PAIRS", 20)
    queries = tuple(searched(number, 50) for number in range(4))
    found, _ = learned(queries, tmp_path, size=3)
    for query, before in zip(found, queries, strict=True):
        texts, all_of_them = [*query.targets], [*before.found]
        assert len(texts) == 6  # two lists
        assert (texts[0], texts[-1]) == (all_of_them[0], all_of_them[-1])
    # The relevant one is kept where it is: nDCG of a list without any is undefined.
    middle = [replace(query, grades={[*query.found][7]: 1.0}) for query in queries]
    found, _ = learned(middle, tmp_path, size=3)
    assert all({*query.grades} <= {*query.targets} for query in found)
    assert {len(query.targets) for query in found} == {7}


def test_lists_are_drawn_from_what_the_teacher_judged(tmp_path: Path) -> None:
    (query,), _ = learned([searched(1)], tmp_path)
    (one,) = Draws([query], 4, 0).at(0)
    assert len(one.passages) == 4
    assert one.goals == tuple(query.targets[text] for text in one.passages)
    texts = {text for seed in range(20) for text in drawn(query, 4, np.random.default_rng(seed))}
    assert texts == {*query.targets}


def test_made_queries_are_how_passages_begin_and_lists_of_what_is_like_them() -> None:
    passages = [
        *(f"Wings of kind {number} lift. More about it." for number in range(12)),
        "Too short. Wings lift of kind.",
        "a flow around one body of very many words " * 4,
    ]
    settings = {"depth": 10, "size": 4, "seed": 0, "known": {"Wings of kind 3 lift"}}
    made = synthetic_queries(passages, 99, **settings)
    texts = {query.text for query in made}
    assert texts == {f"Wings of kind {number} lift" for number in range(12) if number != 3}
    for query in made:
        assert len(query.found) == len(query.passages) == 4
        assert not any(text.startswith(query.text) for text in query.found)
        assert [*query.found.values()] == sorted(query.found.values(), reverse=True)
    assert synthetic_queries(passages, 99, **settings) == made
    assert len(synthetic_queries(passages, 5, **settings)) <= 5
    assert synthetic_queries(["steel", "", "a b c"], 9, **settings) == ()
    assert len(beginning(passages[-1]).split()) == 24
    assert beginning("  Is it so? Yes.") == "Is it so"
    assert beginning("") == ""


def test_made_queries_are_taught_and_choose_no_teacher(tmp_path: Path) -> None:
    bare = replace(searched(7), grades={}, mined=tuple(searched(7).found))
    (first, second), teacher = learned([searched(1)], tmp_path, made=[bare])
    assert teacher.ndcg == 1.0
    assert (second.text, {*second.targets}) == (bare.text, {*bare.found})
    assert (first,) == learned([searched(1)], tmp_path)[0]


@pytest.mark.parametrize("name", ["xsmall-like", "bert", "roberta", "modernbert"])
def test_what_lies_below_the_upper_half_rests(name: str, make_checkpoint: Make) -> None:
    checkpoint = open_checkpoint(make_checkpoint(VARIANTS[name]))
    trained = {*TunedModel(checkpoint, "float32", upper_half=True).trained()}
    everything = {*dict(TunedModel(checkpoint, "float32").module.named_parameters())}
    names, layers = checkpoint.layout.names, checkpoint.architecture.layers
    for layer in range(layers):
        own = {one for one in everything if one.startswith(f"{names.layer.format(layer=layer)}.")}
        assert own
        assert trained & own == (own if layer >= layers // 2 else set())
    assert {one for one in everything if not one.startswith(names.encoder)} <= trained
    assert not any(one.startswith(names.words.rpartition(".")[0]) for one in trained)


def test_a_taught_model_ranks_as_its_teacher_does(
    tune: Tune, files: tuple[Path, Path], make_checkpoint: Make, tmp_path: Path
) -> None:
    """From end to end: the model comes closer to the teacher, and --resume says the same."""
    collection = tmp_path / "collection"
    collection.mkdir()
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    texts = dict.fromkeys(text for line in lines for text in line["documents"])
    write_lines(
        collection / "corpus.jsonl",
        [{"_id": str(place), "title": "", "text": text} for place, text in enumerate(texts)],
    )
    words = ("--collection", str(collection), "--epochs", "20")
    code, report = tune(make_checkpoint(), *words)
    assert (report["loss"], report["options"]["--rate"]) == ("distillation", 1e-3)
    teacher = report["teacher"]
    assert teacher["ndcg"] >= teacher["ndcg_alone"]
    _, *others = report["training"]["evaluations"]
    assert others[-1]["loss"] < others[0]["loss"]
    assert code in (0, 1)
    assert not (tmp_path / "tuned" / "unfinished").exists()
    assert tune(make_checkpoint(), *words, "--resume") == (code, report)
