"""The regression job: ratios, retries, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from edge_rerank_bench import command
from edge_rerank_bench.regression import best, compare, describe, ratios_of


def runs(*ratios: dict[str, float]) -> Callable[[], dict[str, float]]:
    left: Iterator[dict[str, float]] = iter(ratios)
    return lambda: next(left)


def test_ratios_are_to_the_reference_of_the_same_run() -> None:
    def entry(name: str, least: float) -> dict[str, object]:
        return {"name": name, "stats": {"min": least}}

    report = {
        "benchmarks": [
            entry("test_reference_first", 1.0),
            entry("test_rank[10]", 6.0),
            entry("test_reference_last", 3.0),
        ]
    }
    assert ratios_of(report) == {"test_rank[10]": 3.0}


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


def test_a_baseline_keeps_the_least() -> None:
    assert best(runs({"a": 2.0}, {"a": 1.0}, {"a": 3.0}), 3) == {"a": 1.0}


def test_the_commands_refuse_what_they_do_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="no such environment: jax"):
        command.main(["prepare", "jax"])
    with pytest.raises(SystemExit, match=r"expected light\|openvino\|torch=PYTHON"):
        command.main(["prepare", "--environment", "jax=python"])
    with pytest.raises(SystemExit) as ended:
        command.main(["report", "--section", "unknown"])
    assert ended.value.code == 2
    assert "invalid choice" in capsys.readouterr().err
