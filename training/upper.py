"""The encoder's upper layers move, taught by three models: after the correction was trained.

The lower layers rest, so each text begins from its states after them, which are kept. What the
upper layers and the correction learn together no layer over resting states could learn: README.md.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .batches import even_groups
from .correct import GROUPS, CorrectionRun, StateLists
from .errors import TrainingError
from .losses import TEACHER_SCALE, list_loss
from .segments import Segment, SegmentReranker
from .token_states import TextStates, batch_of

UPPER = 3
"""Layers that move, unless it is said otherwise."""
PASSAGES = 6
"""Of a list in a step: the answer, the off-topic one, and others that are drawn."""
LABEL_WEIGHT = 0.3
CROSS_WEIGHT = 0.5
"""Of the cross-encoder in what a list is taught, in deviations within a list; the mixture has 1."""
NEAR_SHARE, NEAR_POOL = 0.5, 1200
"""Share of the steps whose lists ask for like things, and among how many drawn ones those are."""
RUBBISH_WEIGHT, RUBBISH_MARGIN = 0.3, 1.0
SPREAD_LISTS = 1500
Vectors = tuple[np.ndarray, np.ndarray]
"""Unit vectors of queries and of passages."""


@dataclass(frozen=True)
class TaughtLists(StateLists):
    """Lists over states after the lower layers. first, second: the bi-encoders' vectors."""

    first: Vectors
    second: Vectors

    def drawn(self, seed: int, begun: int, count: int) -> np.ndarray:
        """As of any lists; in a share of the steps, those whose queries are most like one of them.

        Passages of lists that ask for like things are harder to tell apart than any others.
        """
        rng = np.random.default_rng((seed, begun, 1))
        if rng.random() >= NEAR_SHARE:
            return super().drawn(seed, begun, count)
        pool = rng.permutation(len(self.rows))[:NEAR_POOL]
        vectors = self.first[0][self.owners[pool]]
        nearest: np.ndarray = np.argsort(-(vectors @ vectors[0]), kind="stable")[:count]
        found: np.ndarray = pool[nearest]
        return found

    @cached_property
    def spreads(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Mean and deviation of each teacher's cosines within lists; every step asks for them."""
        return self._spread(self.first), self._spread(self.second)

    def _spread(self, vectors: Vectors) -> tuple[float, float]:
        rows, owners = self.rows[:SPREAD_LISTS], self.owners[:SPREAD_LISTS]
        found = np.einsum("nd,nkd->nk", vectors[0][owners], vectors[1][rows])
        return float(found.mean()), float(found.std())

    def mixture(self, queries: np.ndarray, passages: np.ndarray) -> np.ndarray:
        """The teachers' mean cosine [queries, passages], the second brought to the first's spread.

        Cosines of one model lie between 0.6 and 0.9, of the other between 0 and 0.7.
        """
        (mean, deviation), (other_mean, other) = self.spreads
        one, two = (
            vectors[0][queries] @ vectors[1][passages].T for vectors in (self.first, self.second)
        )
        mixed: np.ndarray = (one + (two - other_mean) / other * deviation + mean) / 2
        return mixed.astype(np.float32)

    @cached_property
    def crossed(self) -> np.ndarray:
        """What the cross-encoder adds to the mixture's cosines, [lists, size]."""
        if self.third is None:
            return np.zeros(self.rows.shape, np.float32)
        places = range(min(SPREAD_LISTS, len(self.rows)))
        mixed = np.stack([self.mixture(self.owners[i : i + 1], self.rows[i])[0] for i in places])
        logits = centred(self.third)
        added: np.ndarray = CROSS_WEIGHT * centred(mixed).std() / logits.std() * logits
        return added.astype(np.float32)


def centred(rows: np.ndarray) -> np.ndarray:
    """Each row less its mean."""
    less: np.ndarray = rows - rows.mean(axis=1, keepdims=True)
    return less


def lower_part(model: SegmentReranker, upper: int = UPPER) -> SegmentReranker:
    """A model whose encoder ends where its ``upper`` layers begin, for the states below them."""
    moving = len(upper_layers(model, upper))
    encoder = deepcopy(model.encoder)
    encoder.encoder.layer = nn.ModuleList(list(encoder.encoder.layer)[:-moving])
    return SegmentReranker(encoder).to(model.scale.device).eval()


def upper_layers(model: SegmentReranker, upper: int = UPPER) -> list[nn.Module]:
    """The layers that move; raises TrainingError where there are not so many."""
    layers = list(model.encoder.encoder.layer)
    if not 0 < upper <= len(layers):
        raise TrainingError(
            f"--upper-layers {upper}: the encoder has {len(layers)}, of which 1 to all may move"
        )
    return layers[-upper:]


def moving_group(model: SegmentReranker, upper: int, rate: float) -> dict[str, Any]:
    """The optimizer's group of the upper layers, which move at a fifth of the correction's rate."""
    moving = [own for layer in upper_layers(model, upper) for own in layer.parameters()]
    for parameter in moving:
        parameter.requires_grad_(True)
    return {"params": moving, "base": rate / 5}


def through(layers: Sequence[nn.Module], batch: Segment) -> Segment:
    """Texts' states after these layers, from those below."""
    states = batch.states
    mask = torch.zeros(batch.mask.shape, device=states.device)
    mask = mask.masked_fill(~batch.mask, torch.finfo(torch.float32).min / 2)[:, None, None]
    for layer in layers:
        given = layer(states, attention_mask=mask.to(states.dtype))
        states = given[0] if isinstance(given, tuple) else given  # transformers 4 and 5
    return Segment(batch.ids, batch.mask, states)


def joined(parts: Sequence[Segment], groups: Sequence[list[int]]) -> Segment:
    """All texts in one, padded to the longest; groups: which places those of each part have."""
    longest = max(part.ids.shape[1] for part in parts)
    padded: list[Segment] = []
    for part in parts:
        more = longest - part.ids.shape[1]
        padded.append(
            Segment(
                functional.pad(part.ids, (0, more)),
                functional.pad(part.mask, (0, more)),
                functional.pad(part.states, (0, 0, 0, more)),
            )
        )
    places = [place for group in groups for place in group]
    order = torch.tensor(places, device=parts[0].ids.device).argsort()
    return Segment(
        torch.cat([part.ids for part in padded])[order],
        torch.cat([part.mask for part in padded])[order],
        torch.cat([part.states for part in padded])[order],
    )


def raised(
    layers: Sequence[nn.Module], texts: Sequence[tuple[TextStates, int]], device: str = "cpu"
) -> Segment:
    """The texts' states after the last layer, from those below these layers."""
    groups = even_groups([source.ids[text] for source, text in texts], GROUPS)
    parts = [through(layers, batch_of([texts[i] for i in group], device)) for group in groups]
    return joined(parts, groups)


def chosen(texts: Segment, places: Tensor) -> Segment:
    """Some of them, one or several times, padded to the longest of those."""
    mask = texts.mask[places]
    longest = int(mask.sum(1).max())
    return Segment(
        texts.ids[places, :longest], mask[:, :longest], texts.states[:, :longest][places]
    )


def corrections(
    model: SegmentReranker, queries: Segment, passages: Segment, couples: np.ndarray
) -> Tensor:
    """The correction of each couple [couples, 2] of a query and a passage, [couples]."""
    device = model.scale.device
    lengths = passages.mask.sum(1).cpu().numpy()[couples[:, 1]]
    order = np.argsort(lengths, kind="stable")
    found: list[Tensor] = []
    for group in np.array_split(order, GROUPS):
        query, passage = torch.from_numpy(couples[group].T).to(device)
        found.append(model.correction(chosen(queries, query), chosen(passages, passage)))
    return torch.cat(found)[torch.from_numpy(order.argsort()).to(device)]


def step_logits(
    model: SegmentReranker, queries: Segment, passages: Segment, size: int
) -> tuple[Tensor, Tensor]:
    """Cosines of each query and all passages, and logits [queries, size + 1] of its own.

    The first ``size`` passages are the first query's list, and so on; behind all lists stands one
    of rubbish for each query, which is the last of its logits.
    """
    count = len(queries.ids)
    of_queries, of_passages = (
        functional.normalize(text.mean().float(), dim=-1) for text in (queries, passages)
    )
    cosines = of_queries @ of_passages.T
    lists = np.arange(count * size).reshape(count, size)
    places = np.concatenate([lists, count * size + np.arange(count)[:, None]], axis=1)
    couples = np.stack([np.repeat(np.arange(count), size + 1), places.ravel()], axis=1)
    corrected = corrections(model, queries, passages, couples)
    own = cosines.gather(1, torch.from_numpy(places).to(cosines.device))
    logits = (model.scale * own + model.bias).float() + corrected.view(count, -1)
    return cosines[:, : count * size], logits


@dataclass(kw_only=True)
class UpperRun(CorrectionRun):
    """The correction and the upper layers in training; ``kinds`` are taught lists."""

    upper: int = UPPER

    def groups(self) -> list[dict[str, Any]]:
        """The upper layers too, at a fifth of the correction's rate."""
        return [*super().groups(), moving_group(self.model, self.upper, self.rate)]

    def loss(
        self, kind: StateLists, chosen: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensor, int]:
        """The mixture over all passages of the step; all teachers list by list, with its answer."""
        assert isinstance(kind, TaughtLists)
        columns = taken_columns(kind.rows.shape[1], rng)
        rows, size = kind.rows[chosen][:, columns], len(columns)
        owners, model, count = kind.owners[chosen], self.model, len(chosen)
        texts = [(kind.passages, int(passage)) for passage in rows.ravel()]
        texts += [
            (self.rubbish, int(one)) for one in rng.integers(len(self.rubbish.ids), size=count)
        ]
        layers, device = upper_layers(model, self.upper), str(model.scale.device)
        asked = [(kind.queries, int(owner)) for owner in owners]
        queries, passages = raised(layers, asked, device), raised(layers, texts, device)
        cosines, logits = step_logits(model, queries, passages, size)
        taught = torch.from_numpy(kind.mixture(owners, rows.ravel())).to(cosines.device)
        wide = divergence(taught, cosines)
        ranked, below = logits[:, :-1], logits[:, -1]
        crossed = torch.from_numpy(kind.crossed[chosen][:, columns]).to(taught.device)
        wanted = taught.view(count, count, size)[range(count), range(count)] + crossed
        nearest = ranked.min(dim=1).values.detach()
        apart = functional.softplus(below - nearest + RUBBISH_MARGIN).mean()
        absolute = functional.binary_cross_entropy_with_logits(below, torch.zeros_like(below))
        listwise = list_loss(ranked, wanted, LABEL_WEIGHT)
        return wide + listwise + RUBBISH_WEIGHT * (apart + absolute), logits.numel()


def taken_columns(width: int, rng: np.random.Generator) -> np.ndarray:
    """Of a list's columns the answer's, the off-topic passage's, and some of the others."""
    if width <= PASSAGES:
        return np.arange(width)
    between = np.sort(rng.permutation(np.arange(1, width - 1))[: PASSAGES - 2])
    return np.array([0, *between, width - 1])


def divergence(taught: Tensor, cosines: Tensor) -> Tensor:
    """How far the softmax of the cosines is from the teacher's (Kullback and Leibler)."""
    wanted = functional.log_softmax(taught * TEACHER_SCALE, dim=-1)
    found = functional.log_softmax(cosines * TEACHER_SCALE, dim=-1)
    return functional.kl_div(found, wanted, reduction="batchmean", log_target=True)
