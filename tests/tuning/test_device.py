"""``--device``: all that a run computes with is made where its model is, and it stays there."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("edge_rerank_tuning")

from edge_rerank.cli import main  # noqa: E402
from edge_rerank.errors import InputError  # noqa: E402
from edge_rerank.tokenizing.choose import PairTokenizer  # noqa: E402
from edge_rerank_export.checkpoint import open_checkpoint  # noqa: E402
from edge_rerank_training.attention import bucket_rows  # noqa: E402
from edge_rerank_tuning import run  # noqa: E402
from edge_rerank_tuning.device import usable_device  # noqa: E402
from edge_rerank_tuning.interrupts import Wish  # noqa: E402
from edge_rerank_tuning.lists import Draws  # noqa: E402
from edge_rerank_tuning.loop import Recipe, Training  # noqa: E402
from edge_rerank_tuning.losses import LOSSES, combined  # noqa: E402
from edge_rerank_tuning.model import TunedModel  # noqa: E402
from edge_rerank_tuning.progress import Told  # noqa: E402
from edge_rerank_tuning.reading import read_judged  # noqa: E402
from edge_rerank_tuning.state import StateFile  # noqa: E402
from edge_rerank_tuning.validation import Validation  # noqa: E402
from tests.export.conftest import VARIANTS, Make  # noqa: E402
from tests.support.judged import write_judged  # noqa: E402
from tests.support.segments import write_segment_checkpoint  # noqa: E402
from tests.tuning.conftest import Tune, command  # noqa: E402

# Other families are transformers' own code throughout, which makes scalars without a device.
KINDS = (*(("xsmall-like", loss) for loss in LOSSES), ("types", "lambda"), ("segments", "lambda"))
STEPS = 2  # 12 queries, 8 a step


class Stopped(Exception):  # noqa: N818
    """Ends a run in its middle."""


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_a_run_makes_no_tensor_elsewhere(
    kind: str, loss: str, make_checkpoint: Make, tmp_path: Path
) -> None:
    """A tensor whose device is not stated has no numbers here: to compute with it is an error.

    Where the model is on a GPU, such a tensor would lie in the processor's memory.
    """
    if kind == "segments":
        checkpoint = open_checkpoint(write_segment_checkpoint(tmp_path / "segments"))
    else:
        checkpoint = open_checkpoint(make_checkpoint(VARIANTS[kind]))
    tokenizer = PairTokenizer(checkpoint.folder / "tokenizer.json", max_length=96)
    train, validate = map(read_judged, map(str, write_judged(tmp_path, 12, 4)))
    (tmp_path / "run").mkdir()
    bucket_rows.cache_clear()

    def train_until(stop: int) -> Training:
        def show(what: str, count: int, total: int) -> None:
            if what == "pairs" and training.progress.step == stop:
                raise Stopped

        model = TunedModel(checkpoint, "bfloat16", "cpu")
        with torch.device("meta"):
            training = Training(
                model, tokenizer, Draws(train.queries, 4, 0),
                Validation(validate, tokenizer, model.padding, 0),
                combined(loss, 2.0, absolute=True), Recipe(1, 1e-3, 9, 0, 0.0),
                StateFile(tmp_path / "run", {}), Told(lambda line: None, show),
            )  # fmt: skip
            assert training.progress.step == (0 if stop else STEPS - 1)
            training.run(Wish())
        return training

    with pytest.raises(Stopped):
        train_until(STEPS)  # the state before this step is saved, with its moments
    training = train_until(0)
    assert (training.progress.done, training.progress.step) == (True, STEPS)
    assert all(value.device.type == "cpu" for value in training.best.values())


REFUSED = (
    ("gpu", "--device is 'gpu'; expected cpu, cuda, cuda:1 for the second"),
    ("", "--device is ''; expected cpu"),
    ("meta", r"--device is 'meta', and torch cannot compute there \(.*item.*\); name another one"),
    ("cuda:99", r"--device is 'cuda:99', and torch cannot compute there \(.*\); name another one"),
)


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_devices_that_cannot_be_used(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as found:
        usable_device(name)
    assert "\n" not in str(found.value)
    assert usable_device("cpu:0") == usable_device("cpu") == "cpu"


def test_a_run_stays_where_it_was_begun(
    tune: Tune, make_checkpoint: Make, files: tuple[Path, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    checkpoint = make_checkpoint()
    # The processor's other name stands for a second device, which need not be there.
    tried: list[tuple[str, bool]] = []

    def usable(name: str, *, begun: bool = False) -> str:
        tried.append((name, begun))
        return name

    monkeypatch.setattr(run, "usable_device", usable)
    step = Training._step

    def interrupted(training: Training) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return step(training)

    monkeypatch.setattr(Training, "_step", interrupted)
    assert tune(checkpoint, "--device", "cpu:0") == (143, {})
    monkeypatch.setattr(Training, "_step", step)
    words = command(checkpoint, files, tmp_path / "tuned")
    capsys.readouterr()
    assert main([*words, "--resume", "--device", "cpu"]) == 2
    assert "begun with another --device, 'cpu:0', and this is 'cpu'" in capsys.readouterr().err
    tried.clear()
    code, report = tune(checkpoint, "--resume")
    assert (code, report["device"], tried) == (0, "cpu:0", [("cpu:0", True)])
