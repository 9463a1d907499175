"""How much is measured: quick, standard or full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..families import SHAPES
from .workloads import WORDS, Workload

FAMILIES = tuple(SHAPES)
"""Sections of their own: a shape of another family each."""
SECTIONS = (
    *("latency", "stream", "one-thread", "cold", "growth", "stages", "base", "builtin"),
    *FAMILIES,
)


def _rank(passages: int, length: str) -> Workload:
    return Workload(passages, WORDS[length])


EVERY_CELL = tuple(_rank(count, length) for length in WORDS for count in (10, 50, 100))
CORE_CELLS = tuple(
    cell for cell in EVERY_CELL if cell.passages * cell.words <= 100 * WORDS["section"]
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which workloads, and how many seconds for each section."""

    name: str
    budget: Mapping[str, float]
    """Seconds by section; the starting of the engines comes on top."""
    for_all: tuple[Workload, ...]
    """Latencies that every engine is measured with."""
    for_core: tuple[Workload, ...]
    """Latencies for the core engines alone."""
    one_thread: tuple[Workload, ...]
    stream: Workload
    small_stream: Workload
    """For the base shape."""
    growth_passages: tuple[int, ...]
    growth_words: tuple[int, ...]
    cold_starts: int
    cold_least: int
    """Starts of each engine, and as many of them as are made over the budget."""
    most: int
    """Most rounds of one workload."""
    least_main: int
    least_others: int
    """Rounds of ours and of the core engines, and of the others, that are made over the budget."""
    family_streams: Mapping[str, Workload] = field(default_factory=dict)
    """For shapes of other families, where it is not :attr:`stream`."""
    growth_others: tuple[str, ...] = ("transformers",)
    growth_few: tuple[int, ...] = (1, 10, 100, 20, 90)
    """Numbers of passages, and of words, at which those are measured."""

    def least(self, section: str, *, main: bool) -> int:
        """Return the rounds of an engine that are made over the budget."""
        rounds = self.least_main if main else self.least_others
        return min(2, rounds) if section == "growth" else rounds


def _budget(*seconds: float) -> dict[str, float]:
    return dict(zip(SECTIONS, seconds, strict=True))


_LENGTHS = (4, 20, 45, 90, 185, 400)
_MORE_LENGTHS = (4, 20, 45, 90, 130, 185, 270, 400)
"""Words of passages that have, with a query, about 16 to 512 tokens."""

QUICK = Plan(
    "quick",
    _budget(40, 30, 15, 30, 20, 5, 20, 10, 15, 30, 15, 15),
    for_all=(_rank(10, "passage"),),
    for_core=(_rank(50, "passage"),),
    one_thread=(_rank(10, "passage"),),
    stream=Workload(48, 0),
    small_stream=Workload(16, 0),
    growth_passages=(1, 10, 100),
    growth_words=(20, 90, 370),
    cold_starts=1,
    cold_least=1,
    most=5,
    least_main=1,
    least_others=1,
    growth_others=(),
)
STANDARD = Plan(
    "standard",
    _budget(260, 360, 95, 140, 310, 10, 90, 20, 100, 150, 80, 100),
    for_all=(_rank(10, "passage"), _rank(50, "passage")),
    for_core=CORE_CELLS,
    one_thread=(_rank(10, "passage"), _rank(50, "passage"), Workload(64, 0)),
    stream=Workload(64, 0),
    small_stream=Workload(32, 0),
    growth_passages=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
    growth_words=_LENGTHS,
    cold_starts=5,
    cold_least=3,
    most=30,
    least_main=5,
    least_others=3,
    family_streams={"bge-base": Workload(32, 0)},
)
FULL = Plan(
    "full",
    _budget(3600, 1800, 3600, 300, 900, 30, 1800, 120, 600, 900, 600, 600),
    for_all=EVERY_CELL,
    for_core=(),
    one_thread=(*EVERY_CELL, Workload(1024, 0)),
    stream=Workload(1024, 0),
    small_stream=Workload(128, 0),
    growth_passages=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
    growth_words=_MORE_LENGTHS,
    cold_starts=9,
    cold_least=5,
    most=50,
    least_main=10,
    least_others=5,
)
PLANS = {plan.name: plan for plan in (QUICK, STANDARD, FULL)}
