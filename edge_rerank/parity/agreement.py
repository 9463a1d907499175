"""How far logits are from their reference, and how alike the two rankings are.

Plain Python: the pairs are tens (an artifact's probes) or thousands (a user's own), and a check
that needs numpy for a dozen sums would be slower to start than to run.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edge_rerank.artifact.fields import Fields

TOP_K = 10
ALIKE = 1e-3
"""Logits of a smaller standard deviation are all alike: fp32 engines may differ by as much."""
_MOST_PAIRS = 1 << 40


@dataclass(frozen=True, slots=True)
class Agreement:
    """Differences of logits from their reference, over ``pairs`` pairs."""

    pairs: int
    max_error: float
    """Largest absolute difference, in logits."""
    rms_error: float
    """Root of the mean squared difference, in logits."""
    sigma: float
    """The unit in which an error matters: the standard deviation of the reference logits, or, where
    they are all alike, of others that the same model gave; 0 where there is none."""
    kendall_tau: float
    """See :func:`kendall_tau`."""
    top_k: int | None = None
    """How many of the best :attr:`top_k_overlap` is about; None in older manifests."""
    top_k_overlap: float | None = None
    """See :func:`top_overlap`."""
    alike: bool = False
    """Whether the reference logits are all alike, so that they give no unit of their own."""

    @property
    def rms_in_sigma(self) -> float:
        """The rms error as a fraction of sigma; see :func:`in_sigma`."""
        return in_sigma(self.rms_error, self.sigma)

    @property
    def max_in_sigma(self) -> float:
        """The largest error as a fraction of sigma; see :func:`in_sigma`."""
        return in_sigma(self.max_error, self.sigma)

    def to_json(self) -> dict[str, float | int | None]:
        """Return all figures as JSON values; null stands for infinity."""
        ratios = {"rms_in_sigma": self.rms_in_sigma, "max_in_sigma": self.max_in_sigma}
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            **{name: ratio if math.isfinite(ratio) else None for name, ratio in ratios.items()},
        }

    @classmethod
    def from_json(cls, value: object, where: str = "agreement") -> Agreement:
        """Read what :meth:`to_json` wrote; raises ManifestError, naming ``where``."""
        fields = Fields.of(value, where)
        best = fields.value.get("top_k") is not None
        return cls(
            pairs=fields.integer("pairs", least=1, most=_MOST_PAIRS),
            max_error=fields.number("max_error", least=0),
            rms_error=fields.number("rms_error", least=0),
            sigma=fields.number("sigma", least=0),
            kendall_tau=fields.number("kendall_tau", least=-1, most=1),
            top_k=fields.integer("top_k", least=1, most=_MOST_PAIRS) if best else None,
            top_k_overlap=fields.number("top_k_overlap", least=0, most=1) if best else None,
            alike=fields.flag("alike") if "alike" in fields.value else False,
        )


def agree(
    logits: Sequence[float], reference: Sequence[float], *, usual_sigma: float | None = None
) -> Agreement:
    """Compare logits of the same pairs, in the same order; at least one pair.

    ``usual_sigma`` is the unit where the reference logits are all alike, as those of one pair are:
    the standard deviation of what the model gives for pairs that differ.
    """
    sigma = spread(reference)
    alike = sigma < ALIKE
    if alike and usual_sigma is not None:
        sigma = usual_sigma
    errors = [one - other for one, other in zip(logits, reference, strict=True)]
    top_k = usual_top_k(len(errors))
    return Agreement(
        pairs=len(errors),
        max_error=max(map(abs, errors)),
        rms_error=math.sqrt(math.fsum(error * error for error in errors) / len(errors)),
        sigma=sigma,
        kendall_tau=kendall_tau(logits, reference),
        top_k=top_k,
        top_k_overlap=top_overlap(logits, reference, top_k),
        alike=alike,
    )


def in_sigma(error: float, sigma: float) -> float:
    """Return an error as a fraction of sigma; infinite where there is no unit to measure it in."""
    if sigma == 0:
        return 0.0 if error == 0 else math.inf
    return error / sigma


def spread(values: Sequence[float]) -> float:
    """Return the standard deviation of ``values`` themselves (divided by n); at least one value."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def kendall_tau(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Kendall's tau-b of two rankings, from -1 to 1; 1.0 where either does not rank.

    Tau-b (Kendall 1945, Biometrika 33) is (concordant - discordant) / sqrt(u v), u and v being
    the numbers of pairs that are not tied in the one and in the other. Discordant pairs are counted
    as Knight (1966, JASA 61) does, by sorting; with a sorted list, n log n comparisons.
    """
    pairs = sorted(zip(one, other, strict=True))
    ordered: list[float] = []
    discordant = 0
    for _, value in pairs:
        place = bisect_right(ordered, value)
        discordant += len(ordered) - place  # earlier in one, and larger in the other
        ordered.insert(place, value)
    every = len(pairs) * (len(pairs) - 1) // 2
    ties_one, ties_other, ties_both = _ties(one), _ties(other), _ties(pairs)
    untied = math.sqrt((every - ties_one) * (every - ties_other))
    agreeing = every - ties_one - ties_other + ties_both - 2 * discordant
    return agreeing / untied if untied else 1.0


def top_overlap(one: Sequence[float], other: Sequence[float], top_k: int) -> float:
    """Return which share of the ``top_k`` largest of one are among those of the other, 0 to 1.

    Of equal values the earlier counts as larger, as in a ranking.
    """
    return len(_top(one, top_k) & _top(other, top_k)) / top_k


def usual_top_k(count: int) -> int:
    """Return 10, or half of the values where there are fewer than 20, so that it says something."""
    return min(TOP_K, max(1, count // 2))


def _top(values: Sequence[float], top_k: int) -> set[int]:
    return set(sorted(range(len(values)), key=lambda index: -values[index])[:top_k])


def _ties(values: Sequence[object]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(values).values())
