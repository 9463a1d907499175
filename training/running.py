"""A segment model in training: by minutes or steps, stopped cleanly by a signal, and taken up."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edge_rerank.files import whole_file

from .precision import products_in
from .segments import SegmentReranker
from .train import StopFlag, keep_freed_memory, rate_factor

SAVE_SECONDS = 240
REPORT_STEPS = 50


@dataclass
class SegmentProgress:
    """What is saved beside the weights: lists taken of each kind, and losses of each step.

    measured: what a run measured before its first step.
    """

    step: int = 0
    pairs: int = 0
    seconds: float = 0.0
    taken: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    measured: list[list[float]] = field(default_factory=list)
    stopped: bool = False


@dataclass(kw_only=True)
class SegmentRun:
    """A model in training: its optimizer and how far it is, kept in ``state_file``.

    kinds: the kinds of lists. What a step takes of them, and its loss, is what subclasses say.
    """

    model: SegmentReranker
    kinds: Sequence[Any]
    rate: float
    precision: str
    seed: int
    state_file: Path
    lists_per_step: int

    def __post_init__(self) -> None:
        """Take up where the file says that an earlier run stopped."""
        self.optimizer = torch.optim.AdamW(self.groups(), lr=self.rate, weight_decay=0.01)
        self.progress = SegmentProgress(taken=[0] * len(self.kinds))
        if self.state_file.exists():
            device = self.model.scale.device
            state = torch.load(self.state_file, weights_only=True, map_location=device)
            self.model.load_state_dict(state["model"], strict=False)
            self.optimizer.load_state_dict(state["optimizer"])
            self.progress = SegmentProgress(**state["progress"])

    def groups(self) -> list[dict[str, Any]]:
        """The correction; scale and bias count in other units and move faster."""
        model = self.model
        model.encoder.requires_grad_(False)
        return [
            {"params": list(model.correction.parameters()), "base": self.rate},
            {"params": [model.scale, model.bias], "base": self.rate * 20, "weight_decay": 0.0},
        ]

    def keep(self) -> None:
        """Write the state; what rests is not in it, because it stays as it was."""
        trained = {k: v.detach() for k, v in self.model.named_parameters() if v.requires_grad}
        state = {"model": trained, "optimizer": self.optimizer.state_dict()}
        with whole_file(self.state_file) as stream:
            torch.save({**state, "progress": vars(self.progress)}, stream)

    def measure(self) -> None:
        """Measure what all steps need; it is kept, and does not count as training."""

    def drawn_loss(self, rng: np.random.Generator) -> tuple[Tensor, int]:
        """The loss of a step's lists, and how many pairs they have; ``progress.taken`` counts them.

        What is drawn must follow from ``rng`` and ``progress`` alone, for a run that is taken up.
        """
        raise NotImplementedError

    def step(self, done: float) -> None:
        """One step, ``done`` of the budget being used."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * rate_factor(done)
        progress = self.progress
        rng = np.random.default_rng((self.seed, progress.step))
        with products_in(self.precision, str(self.model.scale.device)):
            loss, pairs = self.drawn_loss(rng)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        progress.step += 1
        progress.pairs += pairs
        progress.losses.append(round(loss.item(), 4))


def train_run(
    run: SegmentRun,
    minutes: float,
    steps: int,
    save: Callable[[SegmentProgress], None],
    say: Callable[[str], None],
) -> SegmentProgress:
    """Train in place, by minutes or steps. save is called every few minutes and at the end."""
    keep_freed_memory()
    progress = run.progress
    with StopFlag() as stop:
        run.measure()
        if progress.step:
            say(f"resumed at step {progress.step}, after {progress.seconds:.0f} s")
        started, saved = time.monotonic() - progress.seconds, time.monotonic()
        while not stop.set:
            done = max(progress.seconds / (minutes * 60), progress.step / steps)
            if done >= 1:
                break
            run.step(done)
            progress.seconds = time.monotonic() - started
            if progress.step % REPORT_STEPS == 0:
                speed = progress.pairs / progress.seconds
                recent = float(np.mean(progress.losses[-2 * REPORT_STEPS :]))
                say(
                    f"step {progress.step}  {100 * done:.1f} %  loss {recent:.4f}  "
                    f"{speed:.0f} pairs/s"
                )
            if time.monotonic() - saved > SAVE_SECONDS:
                run.keep()
                save(progress)
                saved = time.monotonic()
        progress.stopped = stop.set
        run.keep()
        save(progress)
    return progress
