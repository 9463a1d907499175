"""Taking turns: rounds, shares, the budget, engines that fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_rerank_bench.run.process import PeerError
from edge_rerank_bench.run.turns import WARM_UP, shares, take_turns

from .fakes import Clock


def engine(clock: Clock, seconds: float, seen: list[int] | None = None) -> Callable[[int], float]:
    def run(number: int) -> float:
        if seen is not None:
            seen.append(number)
        clock.now += seconds
        return seconds

    return run


def test_known_timings() -> None:
    clock, seen = Clock(), list[int]()
    runs = {"ours": engine(clock, 1.0, seen), "slow": engine(clock, 4.0)}
    found = take_turns(runs, baseline="ours", budget=35.0, most=9, clock=clock)
    # 5 s to warm up; of the other 30 as many rounds as fit.
    assert found.seconds == {
        "ours": dict.fromkeys(range(6), 1.0),
        "slow": dict.fromkeys(range(6), 4.0),
    }
    assert seen[0] == WARM_UP
    assert clock.now == 35.0


def test_a_slow_engine_skips_rounds_and_the_baseline_none() -> None:
    clock = Clock()
    runs = {"ours": engine(clock, 1.0), "slow": engine(clock, 20.0)}
    found = take_turns(runs, baseline="ours", budget=80.0, most=12, clock=clock)
    assert len(found.seconds["ours"]) == 12
    assert sorted(found.seconds["slow"]) == [0, 6]
    assert clock.now <= 80.0


def test_everything_runs_once_even_over_the_budget() -> None:
    clock = Clock()
    runs = {"ours": engine(clock, 1.0), "slow": engine(clock, 50.0)}
    found = take_turns(runs, baseline="ours", budget=10.0, most=5, clock=clock)
    assert {name: len(turns) for name, turns in found.seconds.items()} == {"ours": 1, "slow": 1}


def counts(clock: Clock, budget: float, **least: int) -> dict[str, int]:
    runs = {"ours": engine(clock, 1.0), "slow": engine(clock, 10.0), "slower": engine(clock, 20.0)}
    found = take_turns(runs, baseline="ours", budget=budget, most=9, least=least, clock=clock)
    # Whatever runs has the baseline beside it.
    for seconds in found.seconds.values():
        assert seconds.keys() <= found.seconds["ours"].keys()
    return {name: len(seconds) for name, seconds in found.seconds.items()}


def test_the_least_rounds_are_made_over_the_budget() -> None:
    clock = Clock()
    assert counts(clock, 62.0, ours=5, slow=3, slower=2) == {"ours": 5, "slow": 3, "slower": 2}
    assert clock.now > 62.0


def test_the_least_rounds_come_before_all_others() -> None:
    # Of 140 s 31 warm up, the least take 75, and what is left goes to whichever ran least.
    assert counts(Clock(), 140.0, ours=5, slow=5, slower=1) == {"ours": 9, "slow": 6, "slower": 2}


def test_patience_ends_also_the_least_rounds() -> None:
    clock = Clock()
    assert counts(clock, 20.0, ours=9, slow=9, slower=9) == {"ours": 1, "slow": 1, "slower": 1}
    assert clock.now == 62.0


def test_rounds_end_when_the_machine_gets_slower() -> None:
    clock, calls = Clock(), [0]

    def slowing(number: int) -> float:
        calls[0] += 1
        clock.now += 1.0 if number == WARM_UP else 10.0
        return 1.0

    found = take_turns({"ours": slowing}, baseline="ours", budget=30.0, most=50, clock=clock)
    assert calls[0] == 4
    assert clock.now <= 40.0
    assert len(found.seconds["ours"]) == 3


def test_an_engine_that_fails_is_left_out_with_its_reason() -> None:
    clock = Clock()

    def failing(number: int) -> float:
        if number == 1:
            raise PeerError("out of memory")
        clock.now += 1.0
        return 1.0

    def never(number: int) -> float:
        raise PeerError("If nodes")

    runs = {"ours": engine(clock, 1.0), "late": failing, "never": never}
    found = take_turns(runs, baseline="ours", budget=20.0, most=5, clock=clock)
    assert found.failed == {"late": "out of memory", "never": "If nodes"}
    assert set(found.seconds) == {"ours"}
    assert len(found.seconds["ours"]) == 5


@pytest.mark.parametrize(
    ("cost", "budget", "counts"),
    [
        ({"ours": 1.0}, 3.5, {"ours": 3}),
        ({"ours": 1.0, "a": 1.0}, 100.0, {"ours": 10, "a": 10}),
        ({"ours": 1.0, "a": 5.0}, 0.0, {"ours": 1, "a": 1}),
        ({}, 10.0, {}),
    ],
)
def test_shares(cost: dict[str, float], budget: float, counts: dict[str, int]) -> None:
    assert shares(cost, budget, most=10, baseline="ours") == counts
