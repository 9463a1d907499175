"""The regression job: ratios, retries, the verdict."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from edge_rerank_bench import command, micro
from edge_rerank_bench.micro import Operation
from edge_rerank_bench.regression import compare, describe, machine, middle

from .fakes import Clock

CPUINFO = "processor : 0\nmodel name : EPYC\ncpu family : 26\nmodel\t: 2\n\nmodel : 3\n"


def runs(*ratios: dict[str, float]) -> Callable[[], dict[str, float]]:
    left: Iterator[dict[str, float]] = iter(ratios)
    return lambda: next(left)


def taking(clock: Clock, *seconds: float) -> Callable[[], None]:
    """Take these times, call by call, from the beginning again at the end."""
    calls = [0]

    def call() -> None:
        clock.now += seconds[calls[0] % len(seconds)]
        calls[0] += 1

    return call


def test_ratios_are_to_the_reference_beside() -> None:
    clock = Clock()
    # A machine that gets ten times slower for one turn of the three slows both.
    wanted = {"rank": Operation(taking(clock, 6.0, 60.0, 6.0), "products")}
    beside = {"products": taking(clock, 2.0, 2.0, 20.0, 20.0, 2.0, 2.0)}
    assert micro.measure(wanted, beside, turns=3, clock=clock) == {"rank": 3.0}


def test_a_burst_gives_its_least_time() -> None:
    clock = Clock()
    few = [micro.BURST * share for share in (0.4, 0.3, 0.5, 0.1)]
    assert micro.least(taking(clock, *few), clock) == pytest.approx(few[1])
    assert micro.least(taking(clock, 9.0), clock) == 9.0


def test_a_slow_run_is_repeated_before_it_counts() -> None:
    ratios, slower = compare(runs({"a": 9.0}, {"a": 1.1}), {"a": 1.0}, 1.6)
    assert (ratios, slower) == ({"a": 1.1}, [])


def test_what_stays_slow_is_a_regression() -> None:
    ratios, slower = compare(runs({"a": 2.0, "b": 1.0}, {"a": 1.9, "b": 2.0}, {"a": 1.8}),
                             {"a": 1.0, "b": 1.0}, 1.6)  # fmt: skip
    assert (ratios, slower) == ({"a": 1.8, "b": 1.0}, ["a"])
    text = describe(ratios, {"a": 1.0, "c": 1.0}, 1.6)
    assert "SLOWER" in text
    assert "not in the baseline" in text
    assert "not in the run" in text


def test_a_baseline_keeps_the_median() -> None:
    assert middle(runs({"a": 2.0}, {"a": 1.0}, {"a": 3.0}), 3) == {"a": 2.0}


def some(times: int) -> AbstractContextManager[dict[str, Operation]]:
    """Return a benchmark of our own that does its work that many times."""
    beside = micro.references()["products"]
    return nullcontext({"work": Operation(lambda: [beside() for _ in range(times)], "products")})


def test_the_job_passes_without_a_baseline_and_fails_when_something_gets_slower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = ["regression", "--baseline", str(tmp_path / "baseline.json")]
    monkeypatch.setattr(micro, "operations", lambda: some(4))
    assert command.main(job) == 0
    assert "no baseline for" in capsys.readouterr().out
    assert command.main([*job, "--save"]) == 0
    assert list(json.loads((tmp_path / "baseline.json").read_text("utf-8"))) == [machine()]
    assert command.main(job) == 0
    monkeypatch.setattr(micro, "operations", lambda: some(40))
    assert command.main(job) == 1
    assert "SLOWER" in capsys.readouterr().out


def test_a_machine_is_told_by_more_than_its_name(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO, "utf-8")
    assert "cpu family 26 model 2" in machine(tmp_path / "cpuinfo")
    assert "family" not in machine(tmp_path / "none")
    assert f"Python 3.{sys.version_info.minor}" in machine()


def test_the_baseline_that_is_kept_has_every_operation() -> None:
    file = Path(__file__).parents[2] / "bench" / "baseline.json"
    with micro.operations() as wanted:
        for ratios in json.loads(file.read_text("utf-8")).values():
            assert ratios.keys() == wanted.keys()
        assert {operation.reference for operation in wanted.values()} <= micro.references().keys()
        assert all(operation.run() for operation in wanted.values())


def test_ci_runs_the_job_before_the_slow_tests() -> None:
    script = (Path(__file__).parents[2] / ".ci" / "run").read_text("utf-8")
    job = script.index("-m edge_rerank_bench regression")
    assert job < script.index('pytest -m "$left_out"')
