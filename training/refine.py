"""A segment model taught further: held to its own scores, which teachers and answers move.

What a model knows is not to be lost while it learns, so most lists have its own logits, as they
were at the start, for a target. Teachers move them within a list; echoes, which share a question's
words and do not answer it, are to come behind the answer.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .batches import even_groups, padded_ids
from .correct import GROUPS
from .precision import products_in
from .running import SegmentRun
from .segments import Segment, SegmentReranker
from .upper import (
    RUBBISH_MARGIN,
    RUBBISH_WEIGHT,
    UPPER,
    divergence,
    joined,
    moving_group,
    step_logits,
    taken_columns,
    through,
    upper_layers,
)

LISTS_PER_STEP = 24
SHIFT_WEIGHT = 0.25
"""Of how far a list's mean logit is from the start's; its deviations within the list have 1."""
RUBBISH_BELOW, RUBBISH_MOST = 1.5, -2.0
"""Rubbish goes so far below the start's logit of the answer, and below this logit."""
SAMPLED = 256
"""Lists that say how far apart the start's logits are."""


@dataclass(frozen=True)
class RefineLists:
    """Lists of one kind, of texts as token ids with special tokens.

    rows [lists, size]: passages, the answer first. owners [lists]: queries. share: of a step's
    lists. label: weight of the cross-entropy of the answer. added [lists, size]: what teachers add
    to the start's logits, in their deviations within a list. held: whether all logits are held, or
    the answer's alone. odds [lists]: how often each is drawn; all as often without.
    """

    passages: list[list[int]]
    queries: list[list[int]]
    rows: np.ndarray
    owners: np.ndarray
    share: float
    label: float
    added: np.ndarray | None = None
    held: bool = True
    odds: np.ndarray | None = None

    @cached_property
    def _ends(self) -> np.ndarray:
        odds = np.ones(len(self.rows)) if self.odds is None else self.odds
        found: np.ndarray = np.cumsum(odds) / odds.sum()
        return found

    def drawn(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Numbers of ``count`` lists."""
        found = np.searchsorted(self._ends, rng.random(count), side="right")
        numbers: np.ndarray = np.minimum(found, len(self.rows) - 1)
        return numbers


@dataclass(frozen=True)
class StepLists:
    """Lists of several kinds: texts, and for each list its kind and what teachers add to it."""

    queries: list[list[int]]
    passages: list[list[int]]
    added: np.ndarray
    kinds: np.ndarray

    @property
    def size(self) -> int:
        """Passages of a list."""
        return len(self.passages) // len(self.queries)


def together(parts: Sequence[tuple[RefineLists, np.ndarray, np.ndarray]]) -> StepLists:
    """Of each kind these lists, and of those these columns; a place in ``parts`` is a kind."""
    queries: list[list[int]] = []
    passages: list[list[int]] = []
    added: list[np.ndarray] = []
    for kind, chosen, columns in parts:
        rows = kind.rows[chosen][:, columns]
        queries += [kind.queries[owner] for owner in kind.owners[chosen]]
        passages += [kind.passages[passage] for passage in rows.ravel()]
        none = np.zeros(rows.shape, np.float32)
        added.append(none if kind.added is None else kind.added[chosen][:, columns])
    numbers = np.repeat(np.arange(len(parts)), [len(chosen) for _, chosen, _ in parts])
    return StepLists(queries, passages, np.concatenate(added), numbers)


@dataclass(kw_only=True)
class RefineRun(SegmentRun):
    """The correction and the upper layers in training; the model as it is given is the start."""

    kinds: Sequence[RefineLists]
    rubbish: list[list[int]]
    lists_per_step: int = LISTS_PER_STEP
    upper: int = UPPER

    def __post_init__(self) -> None:
        """Keep the start, then take up an earlier run."""
        self.start = deepcopy(self.model).requires_grad_(False)
        super().__post_init__()

    def groups(self) -> list[dict[str, Any]]:
        """The correction, and the upper layers at a fifth of its rate; the scale rests."""
        self.model.requires_grad_(False)
        correction = self.model.correction.requires_grad_(True)
        return [
            {"params": list(correction.parameters()), "base": self.rate},
            moving_group(self.model, self.upper, self.rate),
        ]

    def drawn_loss(self, rng: np.random.Generator) -> tuple[Tensor, int]:
        """The loss of lists of all kinds, each by its share."""
        shares = np.array([kind.share for kind in self.kinds])
        ends = np.round(np.cumsum(shares) / shares.sum() * self.lists_per_step).astype(int)
        counts = np.diff(ends, prepend=0)
        parts = [
            (kind, kind.drawn(rng, count), taken_columns(kind.rows.shape[1], rng))
            for kind, count in zip(self.kinds, counts, strict=True)
        ]
        taken = self.progress.taken
        taken[:] = [before + int(count) for before, count in zip(taken, counts, strict=True)]
        return self.loss(together(parts), rng)

    def loss(self, lists: StepLists, rng: np.random.Generator) -> tuple[Tensor, int]:
        """All terms of some lists, and how many pairs they have."""
        rubbish = rng.integers(len(self.rubbish), size=len(lists.queries))
        (cosines, logits), (first_cosines, first) = self.scored(lists, rubbish)
        device, label, held = logits.device, self._of_kinds("label"), self._of_kinds("held")
        ranked, below, answers = logits[:, :-1], logits[:, -1], first[:, 0]
        kinds = torch.from_numpy(lists.kinds).to(device)
        moved = ranked - self.target(first[:, :-1], torch.from_numpy(lists.added).to(device), kinds)
        shift = moved.mean(dim=1)
        within = (moved - shift[:, None]).square().mean(dim=1)
        answer = SHIFT_WEIGHT * (ranked[:, 0] - answers).square()
        rests = torch.where(held[kinds] > 0, within + SHIFT_WEIGHT * shift.square(), answer)
        truth = torch.zeros(len(ranked), dtype=torch.long, device=device)
        labels = label[kinds] * functional.cross_entropy(ranked, truth, reduction="none")
        most = (answers - RUBBISH_BELOW).clamp(max=RUBBISH_MOST)
        apart = functional.softplus(below - most + RUBBISH_MARGIN).mean()
        wide = divergence(first_cosines, cosines)
        return rests.mean() + labels.mean() + wide + RUBBISH_WEIGHT * apart, logits.numel()

    def scored(
        self, lists: StepLists, rubbish: np.ndarray
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Cosines and logits of ``step_logits``, by the model and by the start."""
        both = (self.model, self.start)
        queries = self.encoded(lists.queries, both)
        passages = self.encoded([*lists.passages, *(self.rubbish[one] for one in rubbish)], both)
        own = step_logits(self.model, queries[0], passages[0], lists.size)
        with torch.no_grad():
            return own, step_logits(self.start, queries[1], passages[1], lists.size)

    def encoded(self, texts: list[list[int]], models: Sequence[SegmentReranker]) -> list[Segment]:
        """Texts' states after the last layer, by each model: they share the lower ones."""
        groups = even_groups(texts, GROUPS)
        lower = list(self.model.encoder.encoder.layer)[: -self.upper]
        states: list[list[Segment]] = [[] for _ in models]
        for group in groups:
            with torch.no_grad():
                below = through(lower, embedded(self.model, [texts[i] for i in group]))
            for model, found in zip(models, states, strict=True):
                with torch.set_grad_enabled(model is self.model):
                    found.append(through(upper_layers(model, self.upper), below))
        return [joined(found, groups) for found in states]

    def target(self, first: Tensor, added: Tensor, kinds: Tensor) -> Tensor:
        """The start's logits, moved by the teachers and brought back to their spread."""
        deviations, gains = (torch.tensor(of, device=first.device) for of in self.progress.measured)
        mean = first.mean(dim=1, keepdim=True)
        moved = first - mean + deviations[kinds, None] * added
        return mean + gains[kinds, None] * moved

    def measure(self) -> None:
        """Find how far apart the start's logits lie, unless an earlier run has."""
        if not self.progress.measured:
            with products_in(self.precision, str(self.model.scale.device)):
                spreads = [self.spread(kind) for kind in self.kinds]
            self.progress.measured = [list(of) for of in zip(*spreads, strict=True)]
            self.keep()

    @torch.no_grad()
    def spread(self, kind: RefineLists) -> tuple[float, float]:
        """The deviation of the start's logits within a kind's lists, and the gain.

        The gain is what brings the logits back to that deviation once teachers have moved them.
        """
        if kind.added is None:
            return 0.0, 1.0
        rng = np.random.default_rng(self.seed)
        centred: list[Tensor] = []
        added: list[Tensor] = []
        for chosen in np.array_split(kind.drawn(rng, SAMPLED), 16):
            lists = together([(kind, chosen, np.arange(kind.rows.shape[1]))])
            (queries,) = self.encoded(lists.queries, [self.start])
            texts = [*lists.passages, *self.rubbish[:1] * len(chosen)]
            (passages,) = self.encoded(texts, [self.start])
            ranked = step_logits(self.start, queries, passages, lists.size)[1][:, :-1]
            centred.append(ranked - ranked.mean(dim=1, keepdim=True))
            added.append(torch.from_numpy(lists.added).to(ranked.device))
        deviation = torch.cat(centred).std()
        moved = torch.cat(centred) + deviation * torch.cat(added)
        return deviation.item(), (deviation / moved.std()).item()

    def _of_kinds(self, name: str) -> Tensor:
        device = self.model.scale.device
        values = [float(getattr(kind, name)) for kind in self.kinds]
        return torch.tensor(values, dtype=torch.float32, device=device)


def embedded(model: SegmentReranker, texts: Sequence[list[int]]) -> Segment:
    """Texts below the first layer, padded to the longest."""
    device = model.scale.device
    ids, mask = (torch.from_numpy(array).to(device) for array in padded_ids(texts, 0))
    return Segment(ids, mask == 1, model.encoder.embeddings(input_ids=ids))
