"""What may be chosen about a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edge_rerank.errors import InputError

DISTILLATION = "distillation"
USUAL_PAIRS = 12_800
"""Half an hour for xsmall's shape on two cores; what gains no longer ends before (--patience)."""
DISTILLED_PAIRS = 20_000
"""As long, with what the teacher reads: the upper half of the layers alone is trained."""
TAUGHT_PAIRS = 20_000
"""That the teacher says something of: the models that it is made of read them in minutes."""
MOST_EPOCHS = 20


# A teacher says something of every passage, grades of a few: lists can be longer and steps larger.
DISTILLED_PASSAGES, JUDGED_PASSAGES = 16, 8
DISTILLED_RATE, JUDGED_RATE = 1e-4, 3e-5


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """The command's options; those that decide what comes out are in :meth:`deciding`."""

    checkpoint: str
    train: str
    validate: str
    output: str
    collection: str | None = None
    depth: int = 50
    """Passages of the collection, BM25's best, that a list of a query is made of."""
    list_size: int | None = None
    """Most passages of a query in a step; None: as :attr:`passages_per_list` says."""
    loss: str = "auto"
    epochs: int | None = None
    """How often each training query is taken; None: as :meth:`epochs_of` says."""
    rate: float | None = None
    """The highest learning rate; None: as :attr:`highest_rate` says."""
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

    @property
    def distils(self) -> bool:
        """Whether a teacher's ranking of the collection is learned, and not the grades alone."""
        return self.loss == DISTILLATION or (self.loss == "auto" and self.collection is not None)

    @property
    def passages_per_list(self) -> int:
        """Most passages of a query in a step."""
        return self.list_size or (DISTILLED_PASSAGES if self.distils else JUDGED_PASSAGES)

    @property
    def highest_rate(self) -> float:
        """The highest learning rate."""
        return self.rate or (DISTILLED_RATE if self.distils else JUDGED_RATE)

    def epochs_of(self, pairs: int) -> int:
        """Return how many epochs of so many pairs are trained at most."""
        wanted = DISTILLED_PAIRS if self.distils else USUAL_PAIRS
        usual = max(1, min(MOST_EPOCHS, round(wanted / pairs)))
        return usual if self.epochs is None else self.epochs

    def check(self) -> None:
        """Raise InputError where the options do not go together."""
        if self.distils and self.collection is None:
            raise InputError(
                f"--loss {DISTILLATION} learns how a mixture ranks what a search finds; name the "
                "--collection to search"
            )

    def deciding(self) -> dict[str, Any]:
        """Return what a run that goes on must have been begun with, by the options' names."""
        names = (
            *("depth", "list_size", "loss", "epochs", "rate", "patience", "seed"),
            *("max_length", "relevant_label", "prompt", "activation"),
        )
        found = {f"--{name.replace('_', '-')}": getattr(self, name) for name in names}
        return found | {"--list-size": self.passages_per_list, "--rate": self.highest_rate}
