"""An encoder and the modules behind it in torch, as sentence-transformers computes them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from edge_rerank.artifact.architecture import NormStep

from .families import Layout
from .modules import HeadModules

_ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU, "tanh": nn.Tanh, None: nn.Identity}


class ModulesModel(nn.Module):
    """Gives logits as a model with a head of its own does."""

    def __init__(self, encoder: Any, layout: Layout, modules: HeadModules) -> None:
        """Build the head from the modules' weights; the encoder gets its place in a whole model."""
        super().__init__()
        self._place = layout.names.encoder.rstrip(".")
        setattr(self, self._place, encoder)
        self._mean = modules.head.pooling == "mean"
        weights = {name: torch.from_numpy(value) for name, value in modules.weights().items()}
        steps: list[nn.Module] = []
        for name, step in zip(modules.sources, modules.head.steps, strict=True):
            if isinstance(step, NormStep):
                steps.append(_norm(weights, name, step.epsilon))
            else:
                steps += [_linear(weights, name), _ACTIVATIONS[step.activation]()]
        self._head = nn.Sequential(*steps, _linear(weights, modules.classifier))

    def forward(self, attention_mask: Tensor, **inputs: Tensor) -> SimpleNamespace:
        """Return the logits, ``[pairs, 1]``, under the name that transformers' models give them."""
        encoder = getattr(self, self._place)
        states = encoder(attention_mask=attention_mask, **inputs).last_hidden_state
        if self._mean:
            real = attention_mask[..., None].to(states.dtype)
            pooled = (states * real).sum(1) / real.sum(1)
        else:
            pooled = states[:, 0]
        return SimpleNamespace(logits=self._head(pooled))


def _linear(weights: dict[str, Tensor], name: str) -> nn.Linear:
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.weight = nn.Parameter(weight)
    if bias is not None:
        linear.bias = nn.Parameter(bias)
    return linear


def _norm(weights: dict[str, Tensor], name: str, epsilon: float) -> nn.LayerNorm:
    norm = nn.LayerNorm(len(weights[f"{name}.weight"]), eps=epsilon)
    norm.weight = nn.Parameter(weights[f"{name}.weight"])
    norm.bias = nn.Parameter(weights[f"{name}.bias"])
    return norm
