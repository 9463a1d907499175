"""Losses, lists, chunks and mined passages, each by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("edge_rerank_tuning")

import numpy as np  # noqa: E402

from edge_rerank_tuning.encoding import MOST_CELLS, chunks  # noqa: E402
from edge_rerank_tuning.examples import Judged, JudgedQuery  # noqa: E402
from edge_rerank_tuning.lists import LISTS_PER_STEP, Draws, drawn  # noqa: E402
from edge_rerank_tuning.losses import (  # noqa: E402
    LOSSES,
    combined,
    distillation,
    loss_name,
)
from edge_rerank_tuning.mining import (  # noqa: E402
    as_found,
    own_passages,
    with_mined,
    with_strange,
)
from edge_rerank_tuning.options import TuneOptions  # noqa: E402

GRADES = [[2.0, 1.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]]
MASK = [[True, True, True, True], [True, True, False, False]]


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_falls_towards_the_right_order_and_ignores_padding(name: str) -> None:
    grades, mask = torch.tensor(GRADES) / 2, torch.tensor(MASK)
    right = torch.tensor([[4.0, 1.0, -3.0, -3.0], [-3.0, 1.0, 0.0, 0.0]])
    loss = combined(name, 1.0, absolute=True)
    assert (loss(right, grades, mask) < loss(-right, grades, mask)).all()
    padded = right + torch.where(mask, 0.0, 100.0)
    assert torch.equal(loss(padded, grades, mask), loss(right, grades, mask))
    logits = torch.zeros(2, 4, requires_grad=True)
    loss(logits, grades, mask).sum().backward()
    assert logits.grad is not None
    assert (logits.grad[1, 2:] == 0).all()
    assert logits.grad[1, 1] < 0 < logits.grad[1, 0]


@pytest.mark.parametrize(
    ("queries", "epochs"), [(10_000, 1), (1_000, 2), (500, 3), (113, 14), (20, 20)]
)
def test_few_queries_are_taken_more_often(queries: int, epochs: int) -> None:
    assert TuneOptions("", "", "", "").epochs_of(queries * 8) == epochs
    assert TuneOptions("", "", "", "", epochs=1).epochs_of(queries * 8) == 1


def test_distillation_is_least_at_the_teachers_logits_and_ignores_padding() -> None:
    targets, mask = torch.tensor([[3.0, 1.0, -3.0], [1.0, 2.0, 9.0]]), torch.tensor(MASK)[:, 1:]
    loss = distillation(2.0)
    assert loss(targets, targets, mask).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    padded = targets + torch.where(mask, 0.0, 100.0)
    assert torch.equal(loss(padded, targets, mask), loss(targets, targets, mask))
    assert (loss(targets.flip(1), targets, mask) > 0.1).all()
    # A shift of all is seen, which cross-entropy alone would not see.
    assert (loss(targets + 4.0, targets, mask) > 0.3).all()
    wanted = (targets[0] / 0.6).softmax(0)
    logits = torch.zeros(1, 3)
    expected = torch.nn.functional.kl_div((logits[0] / 0.6).log_softmax(0), wanted, reduction="sum")
    level = 0.1 * (targets[0].mean() / 2) ** 2
    assert loss(logits, targets[:1], mask[:1] | True)[0] == pytest.approx(float(expected + level))


def test_softmax_and_binary_are_torchs_own() -> None:
    logits, mask = torch.tensor([[0.3, -1.0, 2.0]]), torch.ones(1, 3, dtype=torch.bool)
    grades = torch.tensor([[0.0, 0.0, 1.0]])
    wanted = torch.nn.functional.cross_entropy(logits, torch.tensor([2]))
    assert torch.allclose(LOSSES["softmax"](logits, grades, mask), wanted)
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits, grades)
    assert torch.allclose(LOSSES["binary"](logits, grades, mask), wanted)


def test_lambda_weights_are_what_a_swap_costs() -> None:
    # Grades 1 and 0 at the first two ranks, the wrong way round: nDCG 1 / log2(3) in place of 1.
    logits = torch.tensor([[0.0, 1.0]], requires_grad=True)
    mask = torch.ones(1, 2, dtype=torch.bool)
    LOSSES["lambda"](logits, torch.tensor([[1.0, 0.0]]), mask).sum().backward()
    expected = (1 - 1 / np.log2(3)) / (1 + np.exp(-1.0))
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx([-expected, expected])


def test_the_loss_follows_the_judgements_unless_one_is_asked_for() -> None:
    asked = TuneOptions("", "", "", "")
    names = {kind: loss_name(asked, kind) for kind in ("graded", "pairs", "binary")}
    assert names == {"graded": "lambda", "pairs": "softmax", "binary": "binary"}
    assert loss_name(replace(asked, loss="softmax"), "graded") == "softmax"
    searched = replace(asked, collection="folder")
    assert loss_name(searched, "graded") == "distillation"
    assert loss_name(replace(searched, loss="lambda"), "graded") == "lambda"


def query(relevant: int, others: int, mined: int, text: str = "q") -> JudgedQuery:
    grades = {f"r{i}": 1.0 for i in range(relevant)} | {f"o{i}": 0.0 for i in range(others)}
    return JudgedQuery(text, "f:1", grades, tuple(f"m{i}" for i in range(mined)))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((1, 2, 0), "roo"), ((9, 1, 0), "rrrrrrro"), ((9, 9, 9), "rrrroooo"), ((2, 3, 9), "rrooommm"),
     ((0, 9, 0), "oooooooo"), ((9, 0, 0), "rrrrrrrr")],
)  # fmt: skip
def test_what_is_drawn(counts: tuple[int, int, int], expected: str) -> None:
    texts = drawn(query(*counts), 8, np.random.default_rng(0))
    assert "".join(text[0] for text in texts) == expected
    assert len(set(texts)) == len(texts)


def test_each_epoch_takes_each_query_once_and_draws_anew() -> None:
    queries = [query(2, 20, 0, f"q{number}") for number in range(LISTS_PER_STEP + 3)]
    draws = Draws(queries, 8, seed=5)
    assert (draws.steps, draws.pairs) == (2, len(queries) * 8)
    epochs = [[*draws.at(start), *draws.at(start + 1)] for start in (0, 2)]
    assert all({one.query for one in epoch} == {q.text for q in queries} for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert Draws(queries, 8, seed=5).at(3) == draws.at(3) != Draws(queries, 8, seed=6).at(3)


def test_chunks_hold_whole_lists_and_no_more_than_memory_takes() -> None:
    long = int((MOST_CELLS / 8) ** 0.5)  # a list of eight of these fills a chunk
    lengths, sizes = [10] * 4 + [long] * 16 + [10] * 3, [4, 8, 8, 3]
    found = list(chunks(lengths, sizes))
    assert [list(lists) for lists, _ in found] == [[0, 1], [2, 3]]
    assert [place for _, pairs in found for place in pairs] == list(range(len(lengths)))
    assert [place for lists, _ in found for place in lists] == [0, 1, 2, 3]
    assert len(list(chunks([10] * 23, sizes))) == 1


def test_mined_passages_share_words_and_are_not_judged() -> None:
    grades = {"plants eat light": 1.0}
    judged = Judged("f", "pairs", (JudgedQuery("how do plants eat", "f:1", grades),))
    corpus = ["plants eat light", "plants drink", "steel bridges", "what eats plants", ""]
    (found,) = with_mined(judged, corpus, 5).queries
    assert set(found.mined) == {"plants drink", "what eats plants"}
    assert found.tells
    assert own_passages(judged, judged) == ["plants eat light"]


def test_a_validation_list_is_what_a_search_finds() -> None:
    grades = {"plants eat light": 2.0, "roots drink rain": 1.0, "plants are green": 0.0}
    judged = Judged("f", "graded", (JudgedQuery("how do plants eat", "f:1", grades),))
    corpus = ["plants eat light", "plants drink", "roots drink rain", "steel bridges", "who eats"]
    (found,) = as_found(judged, [*corpus, "plants are green"], 5).queries
    assert found.grades == {"plants eat light": 2.0, "plants are green": 0.0}
    assert {*found.mined} == {"plants drink", "who eats"}
    (first,) = as_found(judged, corpus, 1).queries
    assert (first.passages, first.tells) == (("plants eat light",), False)
    (none,) = as_found(judged, ["steel bridges"], 5).queries
    assert (none.passages, none.tells, found.relevant) == ((), False, ("plants eat light",))


def test_lists_hold_passages_that_share_no_word() -> None:
    corpus = [f"passage {number}" for number in range(40)]
    query = JudgedQuery("q", "f:1", {"right": 1.0}, mined=tuple(corpus[:8]))
    judged = Judged("f", "pairs", (query,))
    (found,) = with_strange(judged, [*corpus, "right"], 16, 0).queries
    assert len(found.strange) == len({*found.strange}) == 16
    assert not {*found.strange} & {"right", *corpus[:8]}
    assert with_strange(judged, [*corpus, "right"], 16, 0) == replace(judged, queries=(found,))
    texts = drawn(found, 8, np.random.default_rng(0))
    assert len(texts) == len({*texts}) == 8
    assert len({*texts} & {*found.strange}) == 3
    assert len({*texts} & {*found.mined}) == 4
    (few,) = with_strange(judged, ["right", "other"], 16, 0).queries
    assert few.strange == ("other",)
