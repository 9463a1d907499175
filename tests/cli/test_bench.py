"""``edge-rerank bench``: what is measured, what follows from it, what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_rerank import InputError
from edge_rerank.benchmark import (
    Row,
    benchmark,
    fewest,
    passages,
    percentile,
    speed,
    take_turns,
    thread_counts,
)
from edge_rerank.cli import main

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Bench:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["bench", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


def row(threads: int, size: int, faster: float) -> Row:
    return Row(threads, size, 3, 0.1, 0.2, 10.0, 1000.0, faster)


def test_a_table_and_a_suggestion(bench: Bench, artifact_path: Path) -> None:
    code, out, err = bench(artifact_path, "--seconds", 1)
    assert (code, err) == (0, "")
    for piece in ("tiny", "onnxruntime 1.", "passages of 100 words, by threads", "p95 ms"):
        assert piece in out
    last = out.splitlines()[-1]
    assert last.startswith("suggestion: --threads ")
    assert "--at-a-time" in last


def test_json(bench: Bench, artifact_path: Path) -> None:
    code, out, err = bench(artifact_path, "--seconds", 1, "--threads", 1, "--json")
    facts = json.loads(out)
    assert (code, err) == (0, "")
    assert [entry["threads"] for entry in facts["threads"]] == [1]
    assert facts["suggestion"]["threads"] == 1
    assert facts["suggestion"]["passages_per_call"] in [
        entry["passages"] for entry in facts["sizes"]
    ]
    assert facts["engine"]["threads"] == 1
    assert facts["threads"][0]["speed"] == 1.0


@pytest.mark.parametrize("seconds", ["0.5", "61", "nan", "-1"])
def test_seconds_out_of_range(bench: Bench, artifact_path: Path, seconds: str) -> None:
    code, out, err = bench(artifact_path, f"--seconds={seconds}")
    assert (code, out) == (2, "")
    assert err == f"edge-rerank: --seconds is {float(seconds):g}; expected 1 to 60\n"


def test_a_missing_folder(bench: Bench, tmp_path: Path) -> None:
    code, out, err = bench(tmp_path / "none")
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_too_many_threads(artifact_path: Path) -> None:
    with pytest.raises(InputError, match="threads is 9999"):
        benchmark(artifact_path, seconds=1, threads=9999)


def test_the_progress_counts_calls(artifact_path: Path) -> None:
    counted: list[int] = []
    found = benchmark(artifact_path, seconds=1, threads=1, progress=counted.append)
    assert counted == list(range(1, len(counted) + 1))
    assert len(counted) == 2 + sum(timing.calls for timing in (*found.threads, *found.sizes))


@pytest.mark.parametrize(
    ("usable", "counts"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12])],
)
def test_thread_counts(usable: int, counts: list[int]) -> None:
    assert thread_counts(usable) == counts


def test_the_fewest_that_come_near_the_best() -> None:
    rows = [row(1, 10, 1.0), row(2, 20, 1.95), row(4, 50, 2.0)]
    assert fewest(rows, "threads") == 2
    assert fewest(rows, "passages") == 20
    assert fewest([row(1, 1, 1.0), row(2, 1, 0.7)], "threads") == 1


def test_speed_is_taken_turn_by_turn() -> None:
    # The machine is ten times slower in the second turn: of no effect on the ratio.
    assert speed([[1.0], [10.0]], [[0.5], [5.0]]) == 2.0


def test_turns_end_with_the_time() -> None:
    now = [0.0]

    def call() -> list[float]:
        now[0] += 1.0
        return [1.0]

    times = take_turns({"a": call, "b": call}, 7.0, clock=lambda: now[0])
    assert {name: len(turns) for name, turns in times.items()} == {"a": 3, "b": 3}
    times = take_turns({"a": call}, 0.0, clock=lambda: now[0])
    assert len(times["a"]) == 1


def test_turns_have_an_upper_limit() -> None:
    times = take_turns({1: lambda: [1.0]}, 1e9, clock=lambda: 0.0)
    assert len(times[1]) == 50


def test_passages_differ_and_have_as_many_words() -> None:
    texts = passages(20)
    assert len(set(texts)) == 20
    assert {len(text.split()) for text in texts} == {100}


def test_percentiles() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0, 2.0], 0.95) == pytest.approx(1.95)
    assert percentile([1.0], 0.95) == 1.0
