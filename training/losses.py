"""What a list's logits are trained towards."""

import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    log_softmax,
    softmax,
)

# The teacher's scores lie within a few tenths; the bi-encoder's authors trained with this scale.
TEACHER_SCALE = 20.0
ABSOLUTE_WEIGHT = 0.3


def list_loss(logits: Tensor, teacher_scores: Tensor, label_weight: float) -> Tensor:
    """Both [lists, size]; the answer is first, the off-topic last.

    Two listwise terms rank: one towards the known answer, one towards the teacher's distribution,
    which also says how close each wrong passage comes; label_weight is the former's share. The
    absolute term gives the number a meaning on its own: above 0 for an answer, far below for
    another subject.
    """
    label = cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))
    wanted = softmax(teacher_scores * TEACHER_SCALE, dim=-1)
    teacher = -(wanted * log_softmax(logits, dim=-1)).sum(-1).mean()
    extremes = torch.stack([logits[:, 0], logits[:, -1]], dim=1)
    truth = torch.tensor([1.0, 0.0], device=logits.device).expand_as(extremes)
    absolute = binary_cross_entropy_with_logits(extremes, truth)
    return label_weight * label + (1 - label_weight) * teacher + ABSOLUTE_WEIGHT * absolute
