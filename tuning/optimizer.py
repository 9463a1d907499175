"""AdamW, and all that a run's state has to hold of it and of the weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from .state import State

_DECAY = 0.01
_MODEL, _FIRST, _SECOND, _BEST = "model", "first", "second", "best"  # kinds of tensors in the state


def adamw(weights: Iterable[Tensor], rate: float) -> torch.optim.AdamW:
    """Return the optimizer: products and tables decay, biases and norms do not."""
    wide: list[Tensor] = []
    narrow: list[Tensor] = []
    for weight in weights:
        (wide if weight.dim() > 1 else narrow).append(weight)
    groups: list[dict[str, Any]] = [{"params": wide}, {"params": narrow, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, weight_decay=_DECAY, fused=True)


def snapshot(
    weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, best: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the weights, their moments and the best weights, as :class:`State` names them.

    All are on the processor: a state can be read where the device that it was made on is not.
    """
    tensors = {f"{_MODEL}.{name}": weight.detach().cpu() for name, weight in weights.items()}
    for name, weight in weights.items():
        if weight in optimizer.state:
            tensors[f"{_FIRST}.{name}"] = optimizer.state[weight]["exp_avg"].cpu()
            tensors[f"{_SECOND}.{name}"] = optimizer.state[weight]["exp_avg_sq"].cpu()
    return tensors | {f"{_BEST}.{name}": weight for name, weight in best.items()}


def restore(
    state: State, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Put weights and moments back where the weights are, and return the best weights."""
    model, first, second = (state.of_kind(kind) for kind in (_MODEL, _FIRST, _SECOND))
    for name, weight in weights.items():
        with torch.no_grad():
            weight.copy_(model[name])
        if name in first:
            optimizer.state[weight] = {
                # The fused optimizer wants all three where the weight is.
                "step": torch.tensor(float(state.progress.step), device=weight.device),
                "exp_avg": first[name].to(weight.device),
                "exp_avg_sq": second[name].to(weight.device),
            }
    return state.of_kind(_BEST)
