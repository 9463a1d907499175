"""Training the correction of a segment model: lists of cached token states, the encoder at rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from .batches import even_groups
from .losses import list_loss
from .running import SegmentRun
from .segments import SegmentReranker
from .token_states import TextStates, batch_of

LISTS_PER_STEP = 16
GROUPS = 4
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


@dataclass(kw_only=True)
class CorrectionRun(SegmentRun):
    """The correction in training; a step takes lists of one kind, drawn by their shares."""

    kinds: Sequence[StateLists]
    rubbish: TextStates
    lists_per_step: int = LISTS_PER_STEP

    def drawn_loss(self, rng: np.random.Generator) -> tuple[Tensor, int]:
        """The loss of the next lists of a kind."""
        shares = np.array([kind.share for kind in self.kinds])
        number = int(rng.choice(len(shares), p=shares / shares.sum()))
        kind, taken = self.kinds[number], self.progress.taken
        chosen = kind.drawn(self.seed, taken[number], self.lists_per_step)
        taken[number] += len(chosen)
        return self.loss(kind, chosen, rng)

    def loss(
        self, kind: StateLists, chosen: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensor, int]:
        """The loss of some lists, and how many pairs they have."""
        logits = batch_logits(self.model, kind, self.rubbish, chosen, rng).float()
        wanted = torch.from_numpy(kind.wanted[chosen]).to(logits.device)
        return list_loss(logits, wanted, LABEL_WEIGHT), logits.numel()
