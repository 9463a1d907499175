"""Activations as sentence-transformers takes them: torch's modules, or any function of logits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge_rerank.errors import InputError, MissingExtraError, shown
from edge_rerank.results import activate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OF_TORCH = {"Sigmoid": "sigmoid", "Identity": "identity", "Tanh": "tanh"}
_TORCH_NAMES = {name: kind for kind, name in _OF_TORCH.items()}


class Activation:
    """One of the activations that models have, where torch is not there to have them."""

    def __init__(self, name: str) -> None:
        """Take one of ``edge_rerank.results.ACTIVATIONS``."""
        self.name = name

    def __call__(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores."""
        return activate(logits, self.name)

    def __repr__(self) -> str:
        """Say which it is."""
        return f"Activation({self.name!r})"


def default_activation(name: str) -> Callable[[Any], Any]:
    """Return a model's own activation: torch's module where torch is in use, or else ours."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "nn"):
        return Activation(name)
    module: Callable[[Any], Any] = getattr(torch.nn, _TORCH_NAMES[name])()
    return module


def apply(function: Callable[[Any], Any], logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what an activation makes of logits.

    Torch's usual modules are computed without torch, as the model itself would. Another function
    gets a tensor of shape [n, 1] where torch is in use, as sentence-transformers calls it, and an
    array otherwise. Raises InputError where it does not give a score for each.
    """
    import numpy as np

    if isinstance(function, Activation):
        return function(logits)
    kind = type(function)
    if kind.__module__.startswith("torch.") and kind.__name__ in _OF_TORCH:
        return activate(logits, _OF_TORCH[kind.__name__])
    if not callable(function):
        raise InputError(f"activation_fn is {shown(function)}; expected a function")
    column = logits[:, None]
    given = torch_for("activation_fn").from_numpy(column) if "torch" in sys.modules else column
    scores = np.asarray(function(given), np.float32)
    if scores.size != len(logits):
        raise InputError(
            f"activation_fn made {scores.size} values of {len(logits)} logits; expected one of each"
        )
    return scores.reshape(-1)


def torch_for(what: str) -> Any:
    """Import torch, which only those need who ask for tensors."""
    try:
        return import_module("torch")
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs torch, which is not installed; without it scores are numpy arrays"
        ) from error
