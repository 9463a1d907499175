"""What must hold between the scores of one CPU and another's."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edge_rerank.parity.agreement import agree, in_sigma, kendall_tau
from tools.emulation.cpus import EmulatedCpu, kernels
from tools.emulation.models import BUILT_IN

MOST_RMS = 0.02
"""Most that two CPUs' logits may differ, root mean square, in standard deviations of them."""
MOST_LARGEST = 0.1
"""Most that a single logit may. ONNX Runtime's kernels round differently from CPU to CPU, and what
rounds to another 8-bit step here and there adds up in a few pairs: 0.07 is the largest seen."""
MOST_SWAPPED = 0.1
"""Most that two passages of one query may be apart and yet change places, in the same unit; the
largest seen is 0.016. Kendall's tau has no limit: of two dozen passages some are all but equal, and
two such pairs that change places make it 0.985, with errors that nobody would notice."""
EXACT = frozenset({"native"})
"""Engines that promise the same bits everywhere."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What one run found."""

    bits: tuple[int, ...]
    """The float32 logits, as whole numbers."""
    features: tuple[str, ...] | None
    ids: tuple[str, ...]
    """A checksum of the token ids of each pair."""
    engine: Mapping[str, Any]
    seconds: float

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Scores:
        """Read what the worker wrote."""
        features = found["cpu"]["features"]
        return cls(
            bits=tuple(found["bits"]),
            features=None if features is None else tuple(features),
            ids=tuple(found["ids"]),
            engine=found["engine"],
            seconds=found["seconds"],
        )

    def at(self, places: Sequence[int]) -> Scores:
        """Return the scores of some pairs alone."""
        bits = tuple(self.bits[place] for place in places)
        return replace(self, bits=bits, ids=tuple(self.ids[place] for place in places))

    @property
    def logits(self) -> list[float]:
        """The logits as numbers."""
        return [float(logit) for logit in np.array(self.bits, np.uint32).view(np.float32)]


@dataclass(slots=True)
class Row:
    """A line of the report: one run, compared with the same engine's on this machine.

    Or what ``verify`` found: then errors are those of the probe pairs, against fp32.
    """

    cpu: str
    engine: str
    kernel: str | None
    model: str = BUILT_IN
    verify: bool = False
    features: tuple[str, ...] | None = None
    pairs: int = 0
    rms: float | None = None
    """Of the differences, in sigma."""
    largest: float | None = None
    """Largest absolute difference, in sigma."""
    tau: float | None = None
    """Kendall's, of the rankings of one query's passages."""
    swapped: float | None = None
    """How far apart, in sigma, two passages are at most that changed places; 0 where none did."""
    differing: int | None = None
    """How many logits are not the same to the last bit."""
    seconds: float | None = None
    problems: list[str] = field(default_factory=list)
    """What does not hold; empty when all does."""


def compare(
    row: Row, found: Scores, reference: Scores, cpu: EmulatedCpu | None, *, ranked: int
) -> None:
    """Fill in a row's figures and problems. The first ``ranked`` pairs are one query's."""
    agreement = agree(found.logits, reference.logits)
    row.features, row.pairs, row.seconds = found.features, agreement.pairs, found.seconds
    row.rms, row.largest = agreement.rms_in_sigma, agreement.max_in_sigma
    rankings = found.logits[:ranked], reference.logits[:ranked]
    row.tau = kendall_tau(*rankings)
    row.swapped = in_sigma(widest_swap(*rankings), agreement.sigma)
    row.differing = sum(a != b for a, b in zip(found.bits, reference.bits, strict=True))
    row.kernel = found.engine["details"].get("kernel")
    if found.ids != reference.ids:
        row.problems.append("the tokenizer gives other token ids")
    row.problems += [*_detection_problems(found, cpu), *_scores_problems(row)]


def widest_swap(one: Sequence[float], reference: Sequence[float]) -> float:
    """Return how far apart, in the reference, two values are at most that one orders the other way.

    0 where both have the same order; ties are in any order.
    """
    pairs = itertools.combinations(zip(one, reference, strict=True), 2)
    gaps = (abs(a[1] - b[1]) for a, b in pairs if (a[0] - b[0]) * (a[1] - b[1]) < 0)
    return max(gaps, default=0.0)


def verified(row: Row, report: Mapping[str, Any]) -> None:
    """Fill in a row from the report of ``edge-rerank verify``, as JSON values."""
    agreement, engine = report["agreement"] or {}, report["engine"] or {"details": {}}
    row.features, row.seconds = tuple(report["cpu"]["features"] or ()), report["seconds"]
    row.pairs, row.tau = agreement.get("pairs", 0), agreement.get("kendall_tau")
    row.rms, row.largest = agreement.get("rms_in_sigma"), agreement.get("max_in_sigma")
    row.kernel = engine["details"].get("kernel")
    row.problems += [
        f"{check['name']}: {check['found']}; expected {check['expected']}"
        for check in report["checks"]
        if check["passed"] is False
    ]


def _detection_problems(found: Scores, cpu: EmulatedCpu | None) -> list[str]:
    """Compare what was found out about an emulated CPU with what is known of it."""
    if cpu is None:
        return []
    problems = []
    if set(found.features or ()) != set(cpu.features) or found.features is None:
        problems.append(f"finds the features {found.features}; expected {cpu.features}")
    able, expected = found.engine["details"].get("kernels"), kernels(cpu.machine, cpu.features)
    if found.engine["name"] == "native" and able != expected:
        problems.append(f"finds the kernels {able}; expected {expected}")
    return problems


def _scores_problems(row: Row) -> list[str]:
    assert row.rms is not None
    assert row.largest is not None
    assert row.swapped is not None
    problems = []
    if row.engine in EXACT and row.differing:
        problems.append(f"{row.differing} of {row.pairs} logits are not the same to the last bit")
    if not row.rms <= MOST_RMS:
        problems.append(f"logits differ by {row.rms:.4f} sigma rms; at most {MOST_RMS}")
    if not row.largest <= MOST_LARGEST:
        problems.append(f"a logit differs by {row.largest:.4f} sigma; at most {MOST_LARGEST}")
    if not row.swapped <= MOST_SWAPPED:
        problems.append(
            f"passages {row.swapped:.4f} sigma apart change places; at most {MOST_SWAPPED}"
        )
    return problems
