"""The training loop: by minutes or steps, stopped cleanly by a signal, resumed from its state."""

import ctypes
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DebertaV2ForSequenceClassification

from edge_rerank.files import whole_file

from .attention import pair_logits
from .batches import PairEncoder, even_groups
from .losses import list_loss
from .precision import products_in

LISTS_PER_STEP = 8
GROUPS = 6
SAVE_SECONDS = 240
WARM_UP = 0.04


@dataclass(frozen=True)
class Phase:
    """One pass of the loop, which ends at the minutes or the steps, whichever comes first.

    rate: the highest learning rate. label_weight: the known answer's share of the ranking loss, the
    rest being the teacher's. skip: steps of earlier phases, whose lists are not taken again.
    """

    minutes: float
    steps: int
    rate: float
    label_weight: float = 0.5
    skip: int = 0


@dataclass
class Progress:
    """What is saved beside the weights, and reported at the end."""

    step: int = 0
    pairs: int = 0
    tokens: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    stopped: bool = False
    """Whether a signal ended the phase before its time."""


@dataclass(frozen=True)
class Lists:
    """Token ids of passages and queries, the mined rows over them and the teacher's scores."""

    passages: list[list[int]]
    queries: list[list[int]]
    rows: np.ndarray
    owners: np.ndarray
    wanted: np.ndarray


class StopFlag:
    """Set by SIGINT or SIGTERM: the loop finishes its step, saves and leaves.

    Both are caught until its block ends; then they do what they did before.
    """

    def __init__(self) -> None:
        self.set = False

    def __enter__(self) -> "StopFlag":
        self._before = {
            number: signal.signal(number, self.catch) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # None: of a host program that is not Python, and has none to give back to Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def catch(self, number: int, frame: FrameType | None) -> None:
        """Only remember the wish; the loop looks at it between steps."""
        self.set = True


def keep_freed_memory() -> None:
    """Keep large blocks of memory for reuse.

    The GNU C library gives them back at once, and getting them anew page by page costs a tenth of
    the time. 32 MiB is the largest threshold it takes. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def parameter_groups(
    model: DebertaV2ForSequenceClassification, rate: float
) -> list[dict[str, Any]]:
    """The relative part and the head begin from nothing and may move faster. Words are frozen."""
    model.deberta.embeddings.word_embeddings.weight.requires_grad_(False)
    new: list[Tensor] = []
    copied: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_new = name.startswith(
                ("deberta.encoder.rel_", "deberta.encoder.LayerNorm", "pooler", "classifier")
            )
            (new if is_new else copied).append(parameter)
    return [{"params": copied, "base": rate}, {"params": new, "base": rate * 5}]


def rate_factor(done: float) -> float:
    """Linear warm-up, then linear to nothing, over the done share of the budget."""
    return min(done / WARM_UP, (1 - done) / (1 - WARM_UP)) if done < 1 else 0.0


def step_logits(
    model: DebertaV2ForSequenceClassification, encoder: PairEncoder, data: Lists, rows: np.ndarray
) -> tuple[Tensor, int]:
    """Logits [lists, list size] of the mined rows, and the number of tokens, padding included."""
    pairs = [
        encoder.pair(data.queries[data.owners[row]], data.passages[passage])
        for row in rows
        for passage in data.rows[row]
    ]
    groups = even_groups(pairs, GROUPS)
    tokens = 0
    parts: list[Tensor] = []
    for group in groups:
        ids, mask = (
            tensor.to(model.device) for tensor in encoder.padded([pairs[i] for i in group])
        )
        tokens += ids.numel()
        parts.append(pair_logits(model, ids, mask).float())
    order = torch.tensor([i for group in groups for i in group])
    return torch.cat(parts)[order.argsort()].view(len(rows), -1), tokens


def train(
    model: DebertaV2ForSequenceClassification,
    encoder: PairEncoder,
    data: Lists,
    phase: Phase,
    precision: str,
    seed: int,
    state_file: Path,
    save: Callable[[Progress], None],
    say: Callable[[str], None],
) -> Progress:
    """Trains in place, on the model's device. save is called every few minutes and at the end."""
    keep_freed_memory()
    optimizer = torch.optim.AdamW(
        parameter_groups(model, phase.rate), lr=phase.rate, weight_decay=0.01, fused=True
    )
    progress = Progress()
    if state_file.exists():
        state = torch.load(state_file, weights_only=True, map_location=model.device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        progress = Progress(**state["progress"])
        say(f"resumed at step {progress.step}, after {progress.seconds:.0f} s")

    def keep() -> None:
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "progress": vars(progress),
        }
        with whole_file(state_file) as stream:
            torch.save(state, stream)
        save(progress)

    with StopFlag() as stop:
        model.train()
        started = time.monotonic() - progress.seconds
        saved = time.monotonic()
        while not stop.set:
            done = max(progress.seconds / (phase.minutes * 60), progress.step / phase.steps)
            if done >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * rate_factor(done)
            begun = (phase.skip + progress.step) * LISTS_PER_STEP
            epoch, position = divmod(begun, len(data.rows) - LISTS_PER_STEP)
            order = np.random.default_rng((seed, epoch)).permutation(len(data.rows))
            rows = order[position : position + LISTS_PER_STEP]
            with products_in(precision, str(model.device)):
                logits, tokens = step_logits(model, encoder, data, rows)
            wanted = torch.from_numpy(data.wanted[rows]).to(model.device)
            loss = list_loss(logits, wanted, phase.label_weight)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(
                [p for g in optimizer.param_groups for p in g["params"]], 1.0
            )
            optimizer.step()
            optimizer.zero_grad()
            progress.step += 1
            progress.pairs += logits.numel()
            progress.tokens += tokens
            progress.seconds = time.monotonic() - started
            progress.losses.append(round(loss.item(), 4))
            if progress.step % 20 == 0:
                recent = float(np.mean(progress.losses[-50:]))
                first = (logits.argmax(-1) == 0).float().mean().item()
                speed, size = progress.pairs / progress.seconds, progress.tokens / progress.pairs
                say(
                    f"step {progress.step}  {100 * done:.1f} %  loss {recent:.4f}  "
                    f"answer first {first:.2f}  {speed:.1f} pairs/s  {size:.0f} tokens a pair"
                )
            if time.monotonic() - saved > SAVE_SECONDS:
                keep()
                saved = time.monotonic()
        progress.stopped = stop.set
        keep()
    return progress
