"""What may be chosen about a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

USUAL_STEPS = 200
"""Half an hour for xsmall's shape on two cores; what gains no longer ends before (--patience)."""
FEWEST_EPOCHS, MOST_EPOCHS = 2, 20


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """The command's options; those that decide what comes out are in :meth:`deciding`."""

    checkpoint: str
    train: str
    validate: str
    output: str
    collection: str | None = None
    depth: int = 50
    """Passages of the collection, BM25's best, that are ranked for a validation query."""
    list_size: int = 8
    """Most passages of a query in a step."""
    loss: str = "auto"
    epochs: int | None = None
    """How often each training query is taken; None: as :meth:`epochs_of` says."""
    rate: float = 3e-5
    patience: int = 3
    seed: int = 0
    device: str | None = None
    """Where torch trains; None: where the run was begun, and for a new one the processor."""
    precision: str = "auto"
    threads: int | Literal["auto"] | None = None
    max_length: int | None = None
    revision: str | None = None
    relevant_label: str | None = None
    prompt: str | None = None
    activation: str | None = None
    save_seconds: float = 60.0
    resume: bool = False
    allow_not_better: bool = False

    def epochs_of(self, steps: int) -> int:
        """Return how many epochs of so many steps are trained at most."""
        usual = min(MOST_EPOCHS, max(FEWEST_EPOCHS, math.ceil(USUAL_STEPS / steps)))
        return usual if self.epochs is None else self.epochs

    def deciding(self) -> dict[str, Any]:
        """Return what a run that goes on must have been begun with, by the options' names."""
        names = (
            *("depth", "list_size", "loss", "epochs", "rate", "patience", "seed"),
            *("max_length", "relevant_label", "prompt", "activation"),
        )
        return {f"--{name.replace('_', '-')}": getattr(self, name) for name in names}
