"""The training loop: evaluated on the way, stopped early, saved so that it can always go on."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .device import PROCESSOR
from .encoding import Encoded, chunks
from .errors import TuningError
from .interrupts import Wish
from .lists import Drawn, Draws
from .optimizer import adamw, restore, snapshot
from .progress import Evaluation, Progress, Told
from .state import StateFile
from .validation import Validation

if TYPE_CHECKING:
    from edge_rerank.tokenizing.choose import PairTokenizer

    from .losses import Loss
    from .model import TunedModel

_WARM_UP = 0.1
_LONGEST_GRADIENT = 1.0
_VALIDATION_SHARE = 1.5
"""An evaluation costs a third of training on as many pairs: it may take a fifth of the time."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a run trains."""

    epochs: int
    rate: float
    patience: int
    """Evaluations without a better one after which it ends."""
    seed: int
    save_seconds: float


class Training:
    """One run, from the checkpoint or from a state to the best weights."""

    def __init__(
        self,
        model: TunedModel,
        tokenizer: PairTokenizer,
        draws: Draws,
        validation: Validation,
        loss: Loss,
        recipe: Recipe,
        state_file: StateFile,
        told: Told,
    ) -> None:
        """Begin at the checkpoint, or where the state is."""
        self._model, self._tokenizer, self._draws = model, tokenizer, draws
        self._validation, self._loss, self._recipe = validation, loss, recipe
        self._file, self._told = state_file, told
        self._weights = model.trained()
        self._optimizer = adamw(self._weights.values(), recipe.rate)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        """The weights of the best step, on the processor: a GPU has less memory."""
        self.steps = draws.steps * recipe.epochs
        share = validation.pairs * _VALIDATION_SHARE
        wanted = max(draws.steps / 2, share / (draws.pairs / draws.steps))
        self.every = max(1, round(min(draws.steps, wanted)))
        self._load()

    def run(self, wish: Wish) -> None:
        """Train to the end; where a signal comes, save and raise what it asks for."""
        saved = time.monotonic()
        while not self.progress.done:
            if self._is_due() and not self._evaluate(wish):
                self._save()
                wish.fulfil()
            if self._is_over():
                self.progress.done = True
                self._save()
                return
            if wish or time.monotonic() - saved > self._recipe.save_seconds:
                self._save()
                wish.fulfil()
                saved = time.monotonic()
            self._step()

    def _is_due(self) -> bool:
        step = self.progress.step
        due = step % self.every == 0 or step == self.steps
        return due and not self.progress.evaluated

    def _is_over(self) -> bool:
        progress = self.progress
        return progress.step >= self.steps or progress.stale() >= self._recipe.patience

    def _evaluate(self, wish: Wish) -> bool:
        """Evaluate and remember the weights if they are the best; False where a signal came."""
        progress = self.progress
        total = self._validation.pairs
        ndcg = self._validation.ndcg(
            self._model, wish, lambda done: self._told.show("validation pairs", done, total)
        )
        if ndcg is None:
            return False
        losses = progress.losses
        loss = sum(losses) / len(losses) if losses else None
        progress.evaluations.append(Evaluation(progress.step, ndcg, loss))
        progress.losses = []
        if progress.best.step == progress.step:
            self.best = {
                name: weight.detach().to(PROCESSOR, copy=True)
                for name, weight in self._weights.items()
            }
        about = "as it is" if loss is None else f"loss {loss:.4f}"
        self._told.say(
            f"step {progress.step:,} of {self.steps:,}: {about}, validation nDCG@10 {ndcg:.4f}"
            f" (best {progress.best.ndcg:.4f})"
        )
        return True

    def _step(self) -> None:
        started, progress = time.monotonic(), self.progress
        done = progress.step / self.steps
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.rate * min((done + 1 / self.steps) / _WARM_UP, 1 - done)
        # Each step has random numbers of its own, so that nothing of them need be saved.
        torch.manual_seed(self._recipe.seed * 1_000_003 + progress.step)
        self._model.begin_step()
        drawn = self._draws.at(progress.step)
        pairs = [(one.query, text) for one in drawn for text in one.passages]
        encoded = Encoded(self._tokenizer, pairs, self._model.padding)
        total = self._gradients(encoded, drawn)
        if not math.isfinite(total):
            raise TuningError(
                f"the loss of step {progress.step + 1:,} is {total}: the --rate of "
                f"{self._recipe.rate:g} is too high for this model; begin again with a lower one"
            )
        torch.nn.utils.clip_grad_norm_(self._weights.values(), _LONGEST_GRADIENT)
        self._optimizer.step()
        self._optimizer.zero_grad()
        progress.step += 1
        progress.pairs += len(pairs)
        progress.losses.append(total)
        progress.seconds += time.monotonic() - started
        self._told.show("pairs", progress.pairs, self._recipe.epochs * self._draws.pairs)

    def _gradients(self, encoded: Encoded, drawn: list[Drawn]) -> float:
        """Add up the gradients of a step; return its loss."""
        means = []
        for lists, places in chunks(encoded.lengths, [len(one.passages) for one in drawn]):
            try:
                loss = self._losses(encoded, places, [drawn[place] for place in lists])
                mean = loss.sum() / len(drawn)
                torch.autograd.backward(mean)
            except RuntimeError as error:
                raise _without_memory(error, encoded) from error
            means.append(mean.detach())
        # Read once a step: a GPU that is asked for a number has to finish first.
        return sum(torch.stack(means).tolist(), 0.0)

    def _losses(self, encoded: Encoded, places: range, drawn: list[Drawn]) -> Tensor:
        """Return the loss of each list."""
        parts, order, device = [], [], self._model.device
        for batch in encoded.even(places):
            parts.append(self._model.logits(batch))
            order += [place - places.start for place in batch.places]
        flat = torch.cat(parts)[torch.tensor(order, device=device).argsort()]
        size = max(len(one.passages) for one in drawn)
        mask = torch.tensor(
            [[at < len(one.passages) for at in range(size)] for one in drawn], device=device
        )
        zeros = torch.zeros(mask.shape, device=device)
        logits = zeros.masked_scatter(mask, flat)
        goals = torch.tensor([goal for one in drawn for goal in one.goals], device=device)
        return self._loss(logits, zeros.masked_scatter(mask, goals), mask)

    def _save(self) -> None:
        self._file.save(snapshot(self._weights, self._optimizer, self.best), self.progress)

    def _load(self) -> None:
        state = self._file.load()
        if state is None:
            return
        self.progress = state.progress
        self.best = restore(state, self._weights, self._optimizer)
        self._told.say(f"going on after step {self.progress.step:,} of {self.steps:,}")


def _without_memory(error: RuntimeError, encoded: Encoded) -> Exception:
    """Return what to say where torch has no more memory; or else its own error."""
    if "alloc" not in str(error).lower():
        return error
    return TuningError(
        f"memory does not suffice for a query with passages of {max(encoded.lengths):,} tokens; "
        "use fewer passages (--list-size), or shorter ones (--max-length)"
    )
