"""What the logits of lists are trained towards, by the form of the judgements.

All take logits, grades and a mask of shape [lists, passages] and give one loss for each list;
places beyond the mask are padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax, logsigmoid

from .examples import BINARY, GRADED, PAIRS
from .options import DISTILLATION, TuneOptions

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

_CUT = 10
_SOFTNESS = 0.3  # temperature, in spreads: the best third of a list has most of the chances
_LEVEL = 0.1
_ABSOLUTE = 0.3  # its share beside a ranking loss, as in the training of the built-in model


def softmax_loss(logits: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy to the relevant passages, alike among them (ListNet, Cao et al. 2007)."""
    chances = log_softmax(logits.masked_fill(~mask, -torch.inf), dim=-1).masked_fill(~mask, 0.0)
    wanted = (grades > 0).float() * mask
    return -(chances * wanted).sum(-1) / wanted.sum(-1).clamp(min=1)


def lambda_loss(logits: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
    """Logistic loss of each couple of grades, weighted by what swapping them costs nDCG@10.

    LambdaRank (Burges 2010), with gain and discount of the measure that it is judged by.
    """
    order = logits.detach().masked_fill(~mask, -torch.inf).argsort(dim=-1, descending=True)
    ranks = order.argsort(dim=-1)
    # Beyond the cut too, so that what lies there can come up; trec_eval's discount.
    discount = 1 / torch.log2(ranks.float() + 2)
    ideal = grades.sort(dim=-1, descending=True).values[:, :_CUT]
    ideal_ranks = torch.arange(ideal.shape[1], device=ideal.device)
    best = (ideal / torch.log2(ideal_ranks + 2.0)).sum(-1).clamp(min=1e-9)
    gains = grades[:, :, None] - grades[:, None]
    weights = gains * (discount[:, :, None] - discount[:, None]).abs() / best[:, None, None]
    couples = (gains > 0) & mask[:, :, None] & mask[:, None]
    losses = -logsigmoid(logits[:, :, None] - logits[:, None])
    return (losses * weights * couples).sum((1, 2))


def binary_loss(logits: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of each passage's sigmoid; grades lie between 0 and 1."""
    losses = binary_cross_entropy_with_logits(logits, grades, reduction="none")
    return (losses * mask).sum(-1) / mask.sum(-1)


LOSSES: Mapping[str, Loss] = {
    "lambda": lambda_loss,
    "softmax": softmax_loss,
    "binary": binary_loss,
}
_OF_KIND = {GRADED: "lambda", PAIRS: "softmax", BINARY: "binary"}


def loss_name(options: TuneOptions, kind: str) -> str:
    """Return the loss that was asked for, or for "auto" the one for this kind of judgements."""
    if options.distils:
        return DISTILLATION
    return _OF_KIND[kind] if options.loss == "auto" else options.loss


def distillation(spread: float) -> Loss:
    """Return the loss against a teacher's logits, in place of grades, which spread so much.

    Cross-entropy of the two softmaxes over a list, less the teacher's own entropy (Hinton et al.
    2015, over lists), beside which stands a term that holds the mean of a list's logits, which the
    softmax does not see, where the teacher has it.
    """

    def loss(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        def chances(values: Tensor) -> Tensor:
            softened = (values / (_SOFTNESS * spread)).masked_fill(~mask, -torch.inf)
            return log_softmax(softened, dim=-1).masked_fill(~mask, 0.0)

        wanted = chances(targets)
        ranking = (wanted.exp() * mask * (wanted - chances(logits))).sum(-1)
        strayed = ((logits - targets) * mask).sum(-1) / mask.sum(-1) / spread
        return ranking + _LEVEL * strayed**2

    return loss


def combined(name: str, highest: float, *, absolute: bool) -> Loss:
    """Return the loss of this name over grades of up to ``highest``.

    A ranking loss alone would let the scores drift: beside it stands, for ``absolute``, a term that
    keeps their meaning as a share of relevance.
    """
    ranking = LOSSES[name]

    def loss(logits: Tensor, grades: Tensor, mask: Tensor) -> Tensor:
        shares = grades / highest
        found = ranking(logits, shares, mask)
        if absolute and name != "binary":
            found = found + _ABSOLUTE * binary_loss(logits, shares, mask)
        return found

    return loss
