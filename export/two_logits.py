"""Heads of two logits, relevant and not: their difference is the one logit of a reranker.

The softmax of two logits is the sigmoid of their difference, so that nothing is lost. Which of
the two means relevant is for the user to say: checkpoints call them LABEL_0 and LABEL_1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .config import Config
from .errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Outputs = TypeVar("Outputs", NDArray[np.float32], Tensor)

OPTION = "--relevant-label"


def relevant_output(config: Config, label: str | None) -> int | None:
    """Return which of two outputs means relevant; None for a head of one output.

    ``label`` is the name or the number of that output, as the user gave it. Raises CheckpointError
    for a head of two outputs without it, for a label that the head does not have, and for a head
    of more outputs.
    """
    labels = _labels(config)
    if len(labels) == 1:
        if label is not None:
            raise CheckpointError(
                f"{config.where}: the head gives one logit, and {OPTION} {label} is for heads of "
                "two; leave it out"
            )
        return None
    if len(labels) != 2:
        raise CheckpointError(
            f"{config.where}: the head gives {len(labels)} logits; a reranker gives one "
            f"(num_labels 1), or two of which {OPTION} names one. A classifier with several labels "
            "cannot be exported"
        )
    for output, name in enumerate(labels):
        if label in (name, str(output)):
            return output
    choices = f"{OPTION} {labels[1]}, or {OPTION} {labels[0]}"
    if label is None:
        raise CheckpointError(
            f"{config.where}: the head gives 2 logits, {labels[0]} and {labels[1]}, and a reranker "
            f"gives one. If one of them means relevant, say which: {choices}; the logit is then "
            "its difference from the other"
        )
    raise CheckpointError(
        f"{config.where}: the head has no label {label}; expected one of its two: {choices}"
    )


def label_of(config: Config, output: int) -> str:
    """Return the name of an output."""
    return _labels(config)[output]


def difference(outputs: Outputs, relevant: int) -> Outputs:
    """Return the weights, or the bias, of the one output that is the difference of two."""
    other = 1 - relevant
    return outputs[relevant : relevant + 1] - outputs[other : other + 1]


def make_one(linear: Any, relevant: int) -> None:
    """Turn a torch.nn.Linear of two outputs into one of their difference."""
    import torch

    with torch.no_grad():
        for name in ("weight", "bias"):
            made = difference(getattr(linear, name).detach(), relevant)
            setattr(linear, name, torch.nn.Parameter(made))
    linear.out_features = 1


def _labels(config: Config) -> Sequence[str]:
    """Name the head's outputs; transformers' default is two."""
    names = config.members.get("id2label") or {}
    count = config.members.get("num_labels", len(names) or 2)
    if not isinstance(count, int) or isinstance(count, bool) or not isinstance(names, dict):
        raise CheckpointError(
            f"{config.where}: num_labels is {count!r} and id2label {names!r}; expected a number "
            "and an object of names"
        )
    return [str(names.get(str(output), f"LABEL_{output}")) for output in range(max(0, count))]
