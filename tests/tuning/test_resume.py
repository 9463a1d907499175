"""A run that is ended at any step, however it is ended, comes out as one that is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("edge_rerank_tuning")

from safetensors import safe_open  # noqa: E402

from edge_rerank.cli import main  # noqa: E402
from edge_rerank.errors import InputError  # noqa: E402
from edge_rerank.tokenizing.choose import PairTokenizer  # noqa: E402
from edge_rerank_export.checkpoint import open_checkpoint  # noqa: E402
from edge_rerank_tuning.errors import TuningError  # noqa: E402
from edge_rerank_tuning.interrupts import heard  # noqa: E402
from edge_rerank_tuning.lists import Draws  # noqa: E402
from edge_rerank_tuning.loop import Recipe, Training  # noqa: E402
from edge_rerank_tuning.losses import combined  # noqa: E402
from edge_rerank_tuning.model import TunedModel  # noqa: E402
from edge_rerank_tuning.progress import Told  # noqa: E402
from edge_rerank_tuning.reading import read_judged  # noqa: E402
from edge_rerank_tuning.run import _Run  # noqa: E402
from edge_rerank_tuning.state import StateFile  # noqa: E402
from edge_rerank_tuning.validation import Validation  # noqa: E402
from tests.export.conftest import Make  # noqa: E402
from tests.export.test_output import small_volume  # noqa: E402
from tests.support.judged import write_judged  # noqa: E402
from tests.tuning.conftest import command  # noqa: E402

__all__ = ["small_volume"]

Begin = Callable[..., Training]
STEPS = 6  # 20 queries, 8 a step, 2 epochs


class Killed(BaseException):
    """What ends a run in its middle, without any warning."""


@pytest.fixture
def begin(make_checkpoint: Make, tmp_path: Path) -> Begin:
    """Return a function that begins a run, or goes on with it, in a folder."""
    checkpoint = open_checkpoint(make_checkpoint())
    train, validate = map(read_judged, map(str, write_judged(tmp_path, 20, 5)))
    tokenizer = PairTokenizer(checkpoint.folder / "tokenizer.json", max_length=96)
    torch.set_num_threads(1)

    def start(folder: Path, kill_at: int = -1, seed: int = 0, patience: int = 9) -> Training:
        folder.mkdir(exist_ok=True)
        model = TunedModel(checkpoint, "float32")
        validation = Validation(validate, tokenizer, model.padding, 0)

        def show(what: str, count: int, total: int) -> None:
            if what == "pairs" and training.progress.step == kill_at:
                raise Killed

        training = Training(
            model, tokenizer, Draws(train.queries, 4, 0), validation,
            combined("lambda", 2.0, absolute=True), Recipe(2, 1e-3, patience, seed, 0.0),
            StateFile(folder, {"--seed": seed}), Told(lambda line: None, show),
        )  # fmt: skip
        return training

    return start


def finish(training: Training) -> Training:
    with heard() as wish:
        training.run(wish)
    return training


def same(one: Training, other: Training) -> bool:
    """Whether weights, the best ones and all evaluations are equal to the last bit."""
    told = [(e.step, e.ndcg, e.loss) for e in one.progress.evaluations]
    assert [(e.step, e.ndcg, e.loss) for e in other.progress.evaluations] == told
    assert one.best.keys() == other.best.keys()
    assert all(torch.equal(value, other.best[name]) for name, value in one.best.items())
    others = other._model.trained()
    return all(torch.equal(value, others[n]) for n, value in one._model.trained().items())


def test_killed_at_every_step_the_result_is_the_same(begin: Begin, tmp_path: Path) -> None:
    whole = finish(begin(tmp_path / "whole"))
    assert (whole.steps, whole.progress.step, len(whole.progress.evaluations)) == (STEPS, STEPS, 4)
    broken = tmp_path / "broken"
    for step in range(1, STEPS + 1):
        with pytest.raises(Killed):
            finish(begin(broken, kill_at=step))
    again = finish(begin(broken))
    assert again.progress.done
    assert same(whole, again)
    other = finish(begin(tmp_path / "other", seed=1)).best  # of dropout
    assert not all(torch.equal(value, other[name]) for name, value in whole.best.items())
    assert [path.name for path in broken.iterdir()] == ["state.safetensors"]


def test_a_state_of_another_run_or_a_damaged_one_is_refused(begin: Begin, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        finish(begin(tmp_path / "run", kill_at=2))
    with pytest.raises(InputError, match="begun with another --seed, 0, and this is 4"):
        begin(tmp_path / "run", seed=4)
    file = tmp_path / "run" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(TuningError, match=r"state\.safetensors: is damaged"):
        begin(tmp_path / "run")


def test_what_has_no_state_yet_is_told_from_another_run_s(
    make_checkpoint: Make, files: tuple[Path, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What lies there by then, the model before and what a teacher said, is of that run alone."""
    checkpoint, other = make_checkpoint(), make_checkpoint(seed=5)
    words = command(checkpoint, files, tmp_path / "tuned")

    def killed(_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(_Run, "_train", killed)
        with pytest.raises(Killed):
            main(words)
    left = {path.name for path in (tmp_path / "tuned" / "unfinished").iterdir()}
    assert {"before", "begun.json"} <= left
    assert not any("state" in name for name in left)
    for changed, name in (
        ([*words, "--seed", "5"], "another --seed, 0, and this is 5"),
        (command(other, files, tmp_path / "tuned"), "another checkpoint, "),
    ):
        assert main([*changed, "--resume"]) == 2
        printed = capsys.readouterr().err
        assert f"begun.json: was begun with {name}" in printed
        assert "name a new --output to start again" in printed
    assert {path.name for path in (tmp_path / "tuned" / "unfinished").iterdir()} == left
    assert main([*words, "--resume", "--allow-not-better"]) == 0


def test_it_ends_early_after_evaluations_without_a_better_one(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter((0.5, 0.7, 0.6, 0.7, 0.9))
    monkeypatch.setattr(Validation, "ndcg", lambda *_: next(found))
    training = finish(begin(tmp_path / "run", patience=2))
    assert [one.ndcg for one in training.progress.evaluations] == [0.5, 0.7, 0.6, 0.7]
    assert (training.progress.best.step, training.progress.done) == (training.every, True)


def test_a_rate_that_breaks_the_model_is_told(begin: Begin, tmp_path: Path) -> None:
    training = begin(tmp_path / "run")
    with torch.no_grad():
        next(iter(training._model.trained().values())).fill_(float("nan"))
    with pytest.raises(TuningError, match=r"the loss of step 1 is nan: the --rate of 0.001"):
        finish(training)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_finish(begin: Begin, number: int, tmp_path: Path) -> None:
    training = begin(tmp_path / "run")
    before = signal.getsignal(number)
    with heard() as wish:
        os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt):
            training.run(wish)
    assert signal.getsignal(number) is before
    assert same(finish(begin(tmp_path / "run")), finish(begin(tmp_path / "whole")))


def test_a_full_disk_leaves_the_state_that_was_there(small_volume: Path) -> None:
    file = StateFile(small_volume, {})
    from edge_rerank_tuning.progress import Progress

    file.save({"model.a": torch.ones(1000)}, Progress(step=3))
    with pytest.raises((TuningError, OSError), match=r"cannot be written|No space"):
        file.save({"model.a": torch.ones(200_000)}, Progress(step=4))
    assert [path.name for path in small_volume.iterdir()] == ["state.safetensors"]
    state = file.load()
    assert state is not None
    assert (state.progress.step, state.tensors["model.a"].sum().item()) == (3, 1000)


@pytest.mark.slow
def test_the_command_ended_by_signals(
    make_checkpoint: Make, files: tuple[Path, Path], tmp_path: Path
) -> None:
    checkpoint = make_checkpoint()
    long = ["--epochs", "30", "--patience", "100", "--save-seconds", "1"]
    words = [*command(checkpoint, files, tmp_path / "broken"), *long]
    code, err = ended(words, tmp_path, signal.SIGTERM)
    assert (code, "ended by SIGTERM; what is done lies in" in err) == (143, True)
    assert "with --resume goes on" in err
    assert ended([*words, "--resume"], tmp_path, signal.SIGKILL)[0] == -signal.SIGKILL
    assert run([*words, "--resume"]) in (0, 1)
    assert run([*command(checkpoint, files, tmp_path / "whole"), *long]) in (0, 1)
    reports = [
        json.loads((tmp_path / name / "report.json").read_text()) for name in ("broken", "whole")
    ]
    broken, whole = (report["training"]["evaluations"] for report in reports)
    assert broken == whole
    weights = [(tmp_path / name / "checkpoint" / "model.safetensors").read_bytes()
               for name in ("broken", "whole")]  # fmt: skip
    assert weights[0] == weights[1]
    assert sorted(os.listdir(tmp_path / "broken")) == sorted(os.listdir(tmp_path / "whole"))


def ended(words: list[str], folder: Path, number: int) -> tuple[int, str]:
    """Run until a state is saved anew, send a signal, and return the exit code and the errors.

    The signal has to come while the model is trained.
    """
    state = folder / "broken" / "unfinished" / "state.safetensors"
    before = state.stat().st_mtime_ns if state.exists() else 0
    process = subprocess.Popen([sys.executable, "-m", "edge_rerank", *words], stderr=-1, text=True)
    for _ in range(6000):
        if state.exists() and state.stat().st_mtime_ns > before:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    err = process.communicate(timeout=300)[1]
    with safe_open(str(state), framework="pt") as stored:
        assert not json.loads(stored.metadata()["state"])["progress"]["done"]
    return process.returncode, err


def run(words: list[str]) -> int:
    return subprocess.run(
        [sys.executable, "-m", "edge_rerank", *words], capture_output=True, timeout=400, check=False
    ).returncode
