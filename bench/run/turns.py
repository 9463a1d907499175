"""Engines take turns, so that a noisy machine hurts all alike.

In a round every engine runs once. A slow engine skips rounds, spread evenly; the baseline never
does, so that each of the others' times has one of the baseline's of the same moment beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .process import PeerError

WARM_UP = -1
PATIENCE = 2.0
"""How many times its budget a workload may take to reach the least rounds of each engine."""
Run = Callable[[int], float]
"""Runs once, in the round of that number (WARM_UP for the first), and gives the seconds."""


@dataclass(frozen=True, slots=True)
class Times:
    """What was measured: seconds by round, by engine; and why engines are missing."""

    seconds: dict[str, dict[int, float]]
    failed: dict[str, str]


def take_turns(
    runs: Mapping[str, Run],
    *,
    baseline: str,
    budget: float,
    most: int,
    least: Mapping[str, int] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Times:
    """Run everything once to warm up, then as many rounds as fit into ``budget`` seconds.

    No engine runs more than ``most`` times. Each runs ``least`` times (once, if it is not named
    there) even over the budget, and once even over PATIENCE times the budget. When the machine
    gets slower than it was during the warm-up, all other rounds end at the budget.
    """
    wanted = {name: (least or {}).get(name, 1) for name in runs}
    start = clock()
    failed: dict[str, str] = {}
    cost: dict[str, float] = {}
    for name, run in runs.items():
        before = clock()
        _try(run, WARM_UP, name, failed)
        if name not in failed:
            cost[name] = max(clock() - before, 1e-9)
    left = budget - (clock() - start)
    counts = shares(cost, left, most=most, baseline=baseline, least=wanted)
    rounds = max(counts.values(), default=0)
    plan = {name: _spread(count, rounds) for name, count in counts.items()}
    seconds: dict[str, dict[int, float]] = {name: {} for name in cost}
    for number in range(rounds):
        spent = clock() - start
        names = [name for name in _turned(list(cost), number) if name not in failed]
        if spent < budget:
            due = {name for name in names if number in plan[name]}
        else:
            # Only what has too few times yet runs, and the baseline beside it.
            enough = dict.fromkeys(names, 1) if spent >= PATIENCE * budget else wanted
            due = {name for name in names if len(seconds[name]) < enough[name]}
            due |= {baseline} & set(names) if due else set()
        for name in names:
            if name in due:
                found = _try(runs[name], number, name, failed)
                if found is not None:
                    seconds[name][number] = found
    return Times({name: turns for name, turns in seconds.items() if name not in failed}, failed)


def shares(
    cost: Mapping[str, float],
    budget: float,
    *,
    most: int,
    baseline: str,
    least: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Return how often each engine runs: ``least``, and whichever ran least while time is left.

    The baseline, if it is among them, runs as often as the one that runs most.
    """
    counts = {name: min(most, (least or {}).get(name, 1)) for name in cost}
    left = budget - sum(cost[name] * count for name, count in counts.items())
    growing = sorted(cost, key=lambda name: cost[name])
    while growing:
        name = min(growing, key=lambda name: counts[name])  # the cheapest of them
        if counts[name] >= most or cost[name] > left:
            growing.remove(name)
            continue
        counts[name] += 1
        left -= cost[name]
    if baseline in counts:
        counts[baseline] = max(counts.values())
    return counts


def _spread(count: int, rounds: int) -> set[int]:
    return {index * rounds // count for index in range(count)}


def _turned(names: list[str], number: int) -> list[str]:
    """Begin with another one each round: nobody always follows the same neighbour."""
    place = number % len(names) if names else 0
    return names[place:] + names[:place]


def _try(run: Run, number: int, name: str, failed: dict[str, str]) -> float | None:
    try:
        return run(number)
    except PeerError as error:
        failed[name] = str(error)
        return None
