"""Teaching a model further: what is held, what moves it, and going on."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

from edge_rerank_training import refine_run, running  # noqa: E402
from edge_rerank_training.correct import StateLists  # noqa: E402
from edge_rerank_training.errors import TrainingError  # noqa: E402
from edge_rerank_training.refine import RefineLists, RefineRun, together  # noqa: E402
from edge_rerank_training.refine_run import (  # noqa: E402
    SECOND_ADDS,
    THIRD_ADDS,
    refine,
    taught_moves,
)
from edge_rerank_training.rephrase import list_cosines  # noqa: E402
from edge_rerank_training.running import train_run  # noqa: E402
from edge_rerank_training.segments import SegmentReranker  # noqa: E402
from edge_rerank_training.token_states import StateMaker, batch_of, wrapped  # noqa: E402
from edge_rerank_training.upper import UPPER, centred  # noqa: E402

from .test_segments import (  # noqa: E402
    WORDS,
    begun,
    silent,
    small_model,
    states,
    training_lists,
)


def kinds(**changes: Any) -> tuple[SegmentReranker, list[RefineLists], list[list[int]]]:
    """A model that scores at random, lists of 4, and echoes of the same queries."""
    model, encoder = small_model()
    torch.nn.init.normal_(model.correction.classifier.weight)
    whole, _ = training_lists(model, encoder)
    held = RefineLists(whole.passages.ids, whole.queries.ids, whole.rows, whole.owners, 0.5, 0.0)
    echoed = np.roll(whole.rows, 7, axis=0)
    echoed[:, 0] = whole.rows[:, 0]
    echoes = replace(held, label=1.0, held=False, rows=echoed)
    rubbish = wrapped(encoder, ["", WORDS[44]], 32)
    return model, [replace(held, **changes), echoes], rubbish


def run_of(model: SegmentReranker, lists: Any, rubbish: Any, file: Path, **more: Any) -> RefineRun:
    made: RefineRun = begun(RefineRun, model, lists, file, rubbish=rubbish, **more)
    made.measure()
    return made


def test_model_and_start_score_alike_at_first_and_as_the_whole_model(tmp_path: Path) -> None:
    model, lists, rubbish = kinds()
    run = run_of(model, lists, rubbish, tmp_path / "s.pt")
    step = together([(lists[0], np.array([3, 7]), np.arange(4))])
    with torch.no_grad():
        (cosines, logits), (first_cosines, first) = run.scored(step, np.array([1, 0]))
    assert torch.equal(logits, first)
    assert torch.equal(cosines, first_cosines)
    assert cosines.shape == (2, 8)
    encoder = small_model()[1]
    texts = states(model, encoder, ["", WORDS[44]])
    whole, _ = training_lists(model, encoder)
    pairs = [(3, (whole.passages, p)) for p in whole.rows[3]] + [(3, (texts, 1))]
    pairs += [(7, (whole.passages, p)) for p in whole.rows[7]] + [(7, (texts, 0))]
    with torch.no_grad():
        expected = model(
            batch_of([(whole.queries, q) for q, _ in pairs]), batch_of([p for _, p in pairs])
        )
    np.testing.assert_allclose(logits.ravel(), expected, atol=2e-2)  # states kept in float16


def test_a_step_takes_of_each_kind_its_share(tmp_path: Path) -> None:
    model, lists, rubbish = kinds(share=0.25)
    run = run_of(model, lists, rubbish, tmp_path / "s.pt", lists_per_step=12)
    run.step(0.1)
    run.step(0.2)
    assert run.progress.taken == [8, 16]
    assert run.progress.pairs == 2 * 12 * 5


def test_lists_are_drawn_by_their_odds() -> None:
    _, (held, _), _ = kinds()
    odds = np.zeros(30)
    odds[[4, 9]] = 1.0, 3.0
    drawn = replace(held, odds=odds).drawn(np.random.default_rng(0), 4000)
    assert set(drawn) == {4, 9}
    assert np.mean(drawn == 9) == pytest.approx(0.75, abs=0.03)
    assert set(held.drawn(np.random.default_rng(0), 4000)) == set(range(30))


def test_teachers_move_the_target_and_leave_mean_and_spread(tmp_path: Path) -> None:
    added = centred(np.random.default_rng(2).normal(size=(30, 4)).astype(np.float32))
    model, lists, rubbish = kinds(added=added)
    run = run_of(model, lists, rubbish, tmp_path / "s.pt")
    every = together(
        [(lists[0], np.arange(30), np.arange(4)), (lists[1], np.arange(3), np.arange(4))]
    )
    with torch.no_grad():
        first = run.scored(every, np.zeros(33, int))[1][1][:, :-1]
        found = run.target(first, torch.from_numpy(every.added), torch.from_numpy(every.kinds))
    np.testing.assert_allclose(found.mean(1), first.mean(1), atol=1e-4)
    np.testing.assert_allclose(found[30:], first[30:], atol=1e-5)  # nothing is added to echoes
    moved, before = (centred(rows[:30].numpy()) for rows in (found, first))
    assert moved.std() == pytest.approx(before.std(), rel=0.1)
    assert np.corrcoef(added.ravel(), (moved - before).ravel())[0, 1] > 0.6


@pytest.mark.usefixtures("one_thread")
def test_echoes_fall_behind_answers_while_the_rest_is_held(tmp_path: Path) -> None:
    model, lists, rubbish = kinds()
    frozen = {name: value.clone() for name, value in model.state_dict().items()}
    run = run_of(model, lists, rubbish, tmp_path / "s.pt")

    def looked_at() -> tuple[float, float]:
        echoes = together([(lists[1], np.arange(30), np.arange(4))])
        with torch.no_grad():
            own, first = run.scored(echoes, np.zeros(30, int))
        answered = (own[1][:, :-1].argmax(1) == 0).float().mean().item()
        return answered, (own[1][:, 0] - first[1][:, 0]).abs().mean().item()

    before, _ = looked_at()
    progress = train_run(run, 5.0, 60, lambda _: None, silent)
    after, shift = looked_at()
    assert after > before + 0.2
    assert np.mean(progress.losses[-5:]) < 0.8 * np.mean(progress.losses[:5])
    assert shift < 2.0
    moved = {
        name for name, value in model.state_dict().items() if not torch.equal(value, frozen[name])
    }
    layers = len(model.encoder.encoder.layer)
    upper = tuple(f"encoder.encoder.layer.{i}." for i in range(layers - UPPER, layers))
    assert all(name.startswith(("correction.", *upper)) for name in moved)
    assert any(name.startswith(upper) for name in moved)
    for name, value in run.start.state_dict().items():
        assert torch.equal(value, frozen[name]), name


def test_what_has_not_moved_has_the_loss_of_answers_and_rubbish_alone(tmp_path: Path) -> None:
    model, lists, rubbish = kinds()

    def loss(kind: RefineLists) -> float:
        (tmp_path / "one.pt").unlink(missing_ok=True)
        run = run_of(model, [kind], rubbish[:1], tmp_path / "one.pt")
        step = together([(kind, np.arange(9), np.arange(4))])
        return float(run.loss(step, np.random.default_rng(0))[0].item())

    run = run_of(model, lists, rubbish[:1], tmp_path / "s.pt")
    with torch.no_grad():
        step = together([(lists[0], np.arange(9), np.arange(4))])
        logits = run.scored(step, np.zeros(9, int))[0][1]
    least = (logits[:, 0] - 1.5).clamp(max=-2.0)
    rubbish_alone = 0.3 * torch.nn.functional.softplus(logits[:, -1] - least + 1).mean()
    held = loss(lists[0])
    assert held == pytest.approx(rubbish_alone.item(), abs=1e-5)
    assert loss(replace(lists[0], label=1.0)) > held + 0.3
    assert loss(replace(lists[0], held=False)) == pytest.approx(held, abs=1e-6)


def test_a_run_that_is_taken_up_comes_to_the_same_weights(tmp_path: Path) -> None:
    added = centred(np.random.default_rng(2).normal(size=(30, 4)).astype(np.float32))

    def steps(name: str, first: int, last: int) -> SegmentReranker:
        model, lists, rubbish = kinds(added=added)
        run = run_of(model, lists, rubbish, tmp_path / name, lists_per_step=6)
        for step in range(first, last):
            run.step(step / 8)
        run.keep()
        return model

    whole = steps("whole.pt", 0, 6)
    steps("half.pt", 0, 3)
    again = steps("half.pt", 3, 6)
    for name, value in again.state_dict().items():
        np.testing.assert_allclose(value, whole.state_dict()[name], atol=1e-6, err_msg=name)


@pytest.mark.usefixtures("one_thread")
def test_what_is_measured_before_the_first_step_is_kept_and_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = centred(np.random.default_rng(2).normal(size=(30, 4)).astype(np.float32))
    model, lists, rubbish = kinds(added=added)
    run = begun(RefineRun, model, lists, tmp_path / "s.pt", rubbish=rubbish)
    measure = RefineRun.measure
    clock = [0.0]
    monkeypatch.setattr(running.time, "monotonic", lambda: clock[0])

    def slow(self: RefineRun) -> None:
        measure(self)
        clock[0] += 3600

    monkeypatch.setattr(RefineRun, "measure", slow)
    progress = train_run(run, 5.0, 2, lambda _: None, silent)
    assert (progress.step, progress.seconds) == (2, 0.0)
    assert [len(of) for of in progress.measured] == [2, 2]

    def refused(*_: Any) -> None:
        raise AssertionError("measured twice")

    monkeypatch.setattr(RefineRun, "spread", refused)
    again = begun(RefineRun, kinds(added=added)[0], lists, tmp_path / "s.pt", rubbish=rubbish)
    measure(again)
    assert again.progress.measured == progress.measured


def test_teachers_add_in_deviations_and_the_third_where_it_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, encoder = small_model()
    mined, _ = training_lists(model, encoder)
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(12, 4)).astype(np.float32) * 9
    numbers = np.arange(0, 24, 2)

    def crossed(_: Any, lists: StateLists, *__: Any) -> tuple[StateLists, np.ndarray]:
        return replace(lists.some(numbers), third=logits), numbers

    vectors = mined.queries.means, mined.passages.means
    monkeypatch.setattr(refine_run, "second_of_mined", lambda *_: vectors)
    monkeypatch.setattr(refine_run, "crossed_lists", crossed)
    monkeypatch.setattr(refine_run, "teacher_words", lambda: ({}, range(50)))
    maker = StateMaker(model, encoder, tmp_path, "float32", "k", silent)
    given: Any = Namespace(mined=mined, passages=[], queries=[])
    added = taught_moves(maker, given, Namespace(threads=1, crossed_lists=12))
    cosines = centred(list_cosines(*vectors, mined.owners, mined.rows))
    second = SECOND_ADDS * cosines / cosines.std()
    third = THIRD_ADDS * centred(logits) / centred(logits).std()
    rest = np.setdiff1d(np.arange(30), numbers)
    np.testing.assert_allclose(added[rest], second[rest], atol=1e-5)
    np.testing.assert_allclose(added[numbers], second[numbers] + third, atol=1e-5)


@pytest.mark.parametrize(
    ("start", "said"), [(None, "--start names its checkpoint"), ("gone", "gone lacks config")]
)
def test_what_there_is_to_start_from_is_said_before_any_work(
    start: str | None, said: str, tmp_path: Path
) -> None:
    options = Namespace(work=tmp_path, seed=0, start=start and tmp_path / start)
    with pytest.raises(TrainingError, match=said):
        refine(options, silent)
    assert not list(tmp_path.iterdir())
