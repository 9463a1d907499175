"""How far a run has come, as it is saved with its weights and told in the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the validation queries said at a step."""

    step: int
    ndcg: float
    """Mean nDCG@10, by torch."""
    loss: float | None
    """Mean loss of the steps since the evaluation before; None at the start."""


@dataclass(slots=True)
class Progress:
    """Of a run; all of it but the seconds is the same however often it was interrupted."""

    step: int = 0
    pairs: int = 0
    seconds: float = 0.0
    """Spent in steps, without evaluations."""
    losses: list[float] = field(default_factory=list)
    """Of the steps since the last evaluation."""
    evaluations: list[Evaluation] = field(default_factory=list)
    done: bool = False
    """Whether training has come to its end."""

    @property
    def best(self) -> Evaluation:
        """The evaluation that ranked best, the first of equal ones; there must be one."""
        return max(self.evaluations, key=lambda one: one.ndcg)

    @property
    def evaluated(self) -> bool:
        """Whether the present step has been evaluated."""
        return bool(self.evaluations) and self.evaluations[-1].step == self.step

    def stale(self) -> int:
        """Return how many evaluations there were after the best one."""
        return len(self.evaluations) - 1 - self.evaluations.index(self.best)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Progress:
        """Return what :meth:`to_json` was of."""
        evaluations = [Evaluation(**one) for one in value["evaluations"]]
        return cls(**{**value, "evaluations": evaluations})


@dataclass(frozen=True, slots=True)
class Told:
    """Whom to tell how it goes."""

    say: Callable[[str], None]
    show: Callable[[str, int, int], None]
    """Told what is counted, how many there are, and of how many."""
