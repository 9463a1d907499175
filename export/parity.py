"""How far one set of logits is from another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_rerank.parity.agreement import kendall_tau

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Parity:
    """Differences of logits from their reference, over ``pairs`` pairs."""

    pairs: int
    max_error: float
    """Largest absolute difference, in logits."""
    rms_error: float
    """Root of the mean squared difference, in logits."""
    sigma: float
    """Standard deviation of the reference logits: the unit in which an error matters."""
    kendall_tau: float
    """Agreement of the two rankings, from -1 to 1 (tau-b, Kendall 1945, which allows for ties)."""

    @property
    def rms_in_sigma(self) -> float:
        """The rms error as a fraction of sigma; infinite when all reference logits are equal."""
        if self.sigma == 0:
            return 0.0 if self.rms_error == 0 else float("inf")
        return self.rms_error / self.sigma

    def to_json(self) -> dict[str, float | int]:
        """Give the figures for a manifest."""
        return asdict(self)


def compare(logits: NDArray[np.float32], reference: NDArray[np.float32]) -> Parity:
    """Compare logits of the same pairs, in the same order."""
    exact = reference.astype(np.float64)
    error = logits.astype(np.float64) - exact
    return Parity(
        pairs=len(exact),
        max_error=float(np.abs(error).max()),
        rms_error=float(np.sqrt((error**2).mean())),
        sigma=float(exact.std()),
        kendall_tau=kendall_tau(logits.tolist(), reference.tolist()),
    )
