"""Training the correction of a segment model: lists of cached token states, the encoder at rest."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from edge_rerank.files import whole_file

from .batches import even_groups
from .losses import list_loss
from .precision import products_in
from .segments import SegmentReranker
from .token_states import TextStates, batch_of
from .train import StopFlag, keep_freed_memory, rate_factor

LISTS_PER_STEP = 16
GROUPS = 4
SAVE_SECONDS = 240
REPORT_STEPS = 50
LABEL_WEIGHT = 0.7
RUBBISH_SHARE = 0.15
"""Share of the lists whose off-topic passage is one of RUBBISH."""


@dataclass(frozen=True)
class StateLists:
    """Mined lists over cached states. share: of the steps, which lists of this kind get.

    rows [n, size]: passages, the answer first, off topic last. wanted: the teacher's scores.
    third: the third teacher's logits, of lists that it has read.
    """

    passages: TextStates
    queries: TextStates
    rows: np.ndarray
    owners: np.ndarray
    wanted: np.ndarray
    share: float
    third: np.ndarray | None = field(default=None, kw_only=True)

    def some(self, kept: np.ndarray) -> Self:
        """These lists, by number or by a mask."""
        third = None if self.third is None else self.third[kept]
        rows, owners, wanted = (part[kept] for part in (self.rows, self.owners, self.wanted))
        return replace(self, rows=rows, owners=owners, wanted=wanted, third=third)

    def drawn(self, seed: int, begun: int, count: int) -> np.ndarray:
        """The ``count`` lists of a step, after ``begun``: each once before any comes again."""
        epoch, position = divmod(begun, max(len(self.rows) - count, 1))
        order = np.random.default_rng((seed, epoch)).permutation(len(self.rows))
        return order[position : position + count]


@dataclass
class CorrectionProgress:
    """What is saved beside the weights: lists taken of each kind, and losses of each step."""

    step: int = 0
    pairs: int = 0
    seconds: float = 0.0
    taken: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    stopped: bool = False


def batch_logits(
    model: SegmentReranker,
    lists: StateLists,
    rubbish: TextStates,
    chosen: np.ndarray,
    rng: np.random.Generator,
) -> Tensor:
    """Logits [lists, size] of some rows, with as much rubbish as its share says."""
    size = lists.rows.shape[1]
    pairs = [(lists.owners[row], passage) for row in chosen for passage in lists.rows[row]]
    sources = [lists.passages] * len(pairs)
    for place in np.flatnonzero(rng.random(len(chosen)) < RUBBISH_SHARE):
        last = place * size + size - 1
        sources[last] = rubbish
        pairs[last] = (pairs[last][0], rng.integers(len(rubbish.ids)))
    lengths = [source.ids[text] for source, (_, text) in zip(sources, pairs, strict=True)]
    groups = even_groups(lengths, GROUPS)
    device = str(model.scale.device)
    parts: list[Tensor] = []
    for group in groups:
        query = batch_of([(lists.queries, pairs[i][0]) for i in group], device)
        passage = batch_of([(sources[i], pairs[i][1]) for i in group], device)
        parts.append(model(query, passage))
    order = torch.tensor([i for group in groups for i in group], device=device)
    return torch.cat(parts)[order.argsort()].view(len(chosen), size)


@dataclass
class CorrectionRun:
    """A model in training: its optimizer and how far it is, kept in ``state_file``."""

    model: SegmentReranker
    kinds: Sequence[StateLists]
    rubbish: TextStates
    rate: float
    precision: str
    seed: int
    state_file: Path
    lists_per_step: int = LISTS_PER_STEP

    def __post_init__(self) -> None:
        """Take up where the file says that an earlier run stopped."""
        self.optimizer = torch.optim.AdamW(self.groups(), lr=self.rate, weight_decay=0.01)
        self.progress = CorrectionProgress(taken=[0] * len(self.kinds))
        if self.state_file.exists():
            device = self.model.scale.device
            state = torch.load(self.state_file, weights_only=True, map_location=device)
            self.model.load_state_dict(state["model"], strict=False)
            self.optimizer.load_state_dict(state["optimizer"])
            self.progress = CorrectionProgress(**state["progress"])

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

    def loss(
        self, kind: StateLists, chosen: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensor, int]:
        """The loss of some lists, and how many pairs they have."""
        logits = batch_logits(self.model, kind, self.rubbish, chosen, rng).float()
        wanted = torch.from_numpy(kind.wanted[chosen]).to(logits.device)
        return list_loss(logits, wanted, LABEL_WEIGHT), logits.numel()

    def step(self, done: float) -> None:
        """One step on lists of one kind, ``done`` of the budget being used."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * rate_factor(done)
        progress = self.progress
        rng = np.random.default_rng((self.seed, progress.step))
        shares = np.array([kind.share for kind in self.kinds])
        number = int(rng.choice(len(shares), p=shares / shares.sum()))
        kind = self.kinds[number]
        chosen = kind.drawn(self.seed, progress.taken[number], self.lists_per_step)
        with products_in(self.precision, str(self.model.scale.device)):
            loss, pairs = self.loss(kind, chosen, rng)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        progress.taken[number] += len(chosen)
        progress.step += 1
        progress.pairs += pairs
        progress.losses.append(round(loss.item(), 4))


def train_correction(
    run: CorrectionRun,
    minutes: float,
    steps: int,
    save: Callable[[CorrectionProgress], None],
    say: Callable[[str], None],
) -> CorrectionProgress:
    """Train in place, by minutes or steps. save is called every few minutes and at the end."""
    keep_freed_memory()
    progress, stop = run.progress, StopFlag()
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
            say(f"step {progress.step}  {100 * done:.1f} %  loss {recent:.4f}  {speed:.0f} pairs/s")
        if time.monotonic() - saved > SAVE_SECONDS:
            run.keep()
            save(progress)
            saved = time.monotonic()
    progress.stopped = stop.set
    run.keep()
    save(progress)
    return progress
