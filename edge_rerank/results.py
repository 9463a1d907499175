"""What ranking and scoring give back: plain, frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

D = TypeVar("D")

Document = str | Mapping[str, Any]
"""A text, or a mapping that has one under the text field."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a long document, as the model read it beside the query."""

    start: int
    """Its first character in the document, from 0; Python's characters, which are code points."""
    end: int
    """Where it ends: ``document[start:end]`` is its text."""
    score: float
    """The model's activation of the logit, or the logit itself where logits were asked for."""
    logit: float
    """The model's raw output; float32, exactly."""
    tokens: int
    """How many tokens the model read, special tokens included."""


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """What the model says about one query and document."""

    score: float
    """The model's activation of the logit, or the logit itself where logits were asked for."""
    logit: float
    """The model's raw output; float32, exactly."""
    tokens: int
    """How many tokens the model read, special tokens included; of all windows together."""
    truncated: bool
    """True when a part of the texts was not read."""
    windows: tuple[Window, ...] = ()
    """All that were read of the document, in order, where it was read in windows."""

    @property
    def window(self) -> Window | None:
        """The best of the windows, the first of equal ones; None without windows."""
        return best_window(self.windows)


@dataclass(frozen=True, slots=True)
class RankedDocument(Generic[D]):
    """One document of a ranking."""

    index: int
    """The document's place in what was passed in, from 0."""
    score: float
    """The model's activation of the logit, or the logit itself where logits were asked for."""
    logit: float
    """The model's raw output; float32, exactly."""
    tokens: int
    """How many tokens the model read, special tokens included; of all windows together."""
    truncated: bool
    """True when a part of the texts was not read."""
    document: D | None = None
    """The document itself, the same object, where it was asked for."""
    windows: tuple[Window, ...] = ()
    """All that were read of the document, in order, where it was read in windows."""

    @property
    def window(self) -> Window | None:
        """The best of the windows, the first of equal ones; None without windows."""
        return best_window(self.windows)


def best_window(windows: Sequence[Window]) -> Window | None:
    """Return the window with the highest logit, the first of equal ones; None where none is."""
    return max(windows, key=lambda window: window.logit, default=None)


def activate(logits: NDArray[np.float32], activation: str) -> NDArray[np.float32]:
    """Return scores: what ``activation``, one of ACTIVATIONS, makes of logits."""
    return ACTIVATIONS[activation](logits)


def activated(logit: float, activation: str) -> float:
    """Return the score of one logit, the same as in an array of many."""
    import numpy as np

    return float(activate(np.array([logit], np.float32), activation)[0])


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(-x)), computed in float64 so that it cannot overflow, as float32."""
    import numpy as np

    wide = np.clip(logits.astype(np.float64), -700.0, 700.0)
    return (1.0 / (1.0 + np.exp(-wide))).astype(np.float32)


def tanh(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the hyperbolic tangent, computed in float64 as :func:`sigmoid` is, as float32."""
    import numpy as np

    return np.tanh(logits.astype(np.float64)).astype(np.float32)


ACTIVATIONS: Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "sigmoid": sigmoid,
    "identity": lambda logits: logits,
    "tanh": tanh,
}
"""What a model's logits may go through to become its scores; all keep the order."""
