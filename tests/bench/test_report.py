"""The report: statistics, tables, plots, all from a fixed record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_rerank_bench import command
from edge_rerank_bench.report import tables
from edge_rerank_bench.report.figures import percentile, ratios, spread
from edge_rerank_bench.report.markdown import digits, seconds, table, times
from edge_rerank_bench.report.write import render
from edge_rerank_bench.run.limits import Peak, least_seconds, work_of
from edge_rerank_bench.run.results import (
    FILE,
    ResultsError,
    check_same_machine,
    new_results,
    read_results,
    write_results,
)

from .fakes import SHAPE, measurement, record


def test_percentiles_and_quartiles() -> None:
    values = [4.0, 1.0, 3.0, 2.0, 5.0]
    assert percentile(values, 0.95) == pytest.approx(4.8)
    found = spread(values)
    assert found is not None
    assert (found.count, found.p50, found.low, found.high) == (5, 3.0, 2.0, 4.0)
    assert spread([]) is None


def test_ratios_are_taken_in_the_rounds_of_both() -> None:
    found = ratios({0: 4.0, 1: 40.0, 7: 99.0}, {0: 1.0, 1: 10.0, 2: 1.0})
    assert found is not None
    assert (found.count, found.p50) == (2, 4.0)
    assert ratios({0: 1.0}, {1: 1.0}) is None


def test_latency_table() -> None:
    lines = tables.latency(record(), measurement("latency")).splitlines()
    assert lines[2].startswith(
        "| **edge-rerank** | 100 ms | 910 ms | 100 ms to 550 ms | 3 | 0% | 1 |"
    )
    # 0.4, 4.0 and 0.5 over 0.1, 1.0 and 0.1: the slow second round does not show.
    assert lines[3].startswith("| Optimum int8 | 500 ms | 3.65 s | 450 ms to 2.25 s | 3 | 25% |")
    assert lines[3].endswith("| 4.00 (4.00 to 4.50) |")
    assert lines[4].startswith("| FlashRank | cannot run: ConnectionError: its model \\| cannot")
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_throughput_table_has_speed_and_accuracy() -> None:
    lines = tables.throughput(record(), measurement("stream", words=0)).splitlines()
    work = work_of(SHAPE, 1000, 100_000)
    share = (work.linear / 1e9 + work.attention / 1e8) / 0.1
    assert f"| 10,000 | 0% | 1 | {share:.0%} |" in lines[2]
    assert lines[3].endswith("| 0.250 | 0.900 |")


def test_operation_count() -> None:
    work = work_of(SHAPE, 10, 50)
    assert work.linear == 2 * (4 * 8 * 8 + 2 * 8 * 16) * 10
    assert work.attention == 2 * 4 * 8 * 50
    peak = Peak(2, "avx2", 1e9, 1e8, 1e10)
    assert least_seconds(work, peak, "int8") == work.linear / 1e9 + work.attention / 1e8
    assert least_seconds(work, peak, "fp32") == (work.linear + work.attention) / 1e8
    assert least_seconds(work, peak, "bf16") is None


def test_operation_count_of_gated_layers_and_local_attention() -> None:
    shape: dict[str, Any] = {**SHAPE, "positions": {"relative": None}, "layers": 3}
    del shape["pos_att_type"]
    shape |= {"feed_forward": {"kind": "gated"}, "local_attention": {"reach": 2, "layers": [1, 2]}}
    work = work_of(shape, 10, 100)
    assert work.linear == 3 * (4 * 8 * 8 + 3 * 8 * 16) * 10
    assert work.attention == 2 * 8 * (100 + 2 * 10 * 5)
    short = work_of(shape, 10, 20)  # shorter than the window
    assert short.attention == 2 * 8 * 3 * 20
    shape |= {"feed_forward": {"kind": "plain"}, "local_attention": None}
    assert work_of(shape, 10, 100).linear == 3 * (4 * 8 * 8 + 2 * 8 * 16) * 10


def test_shapes_of_other_families(tmp_path: Path) -> None:
    found = record()
    shape = {**found["shapes"]["xsmall"], "title": "shape of a model, random weights"}
    found["shapes"]["bge-base"] = shape
    found["accuracy"]["bge-base"] = found["accuracy"]["xsmall"]
    more = {"shape": "bge-base", "failed": {"flashrank": "cannot convert it"}}
    found["measurements"] += [measurement("bge-base", **more, words=words) for words in (60, 0)]
    write_results(tmp_path, found)
    render(tmp_path)
    text = (tmp_path / "README.md").read_text("utf-8")
    part = text.partition("### bge-base: shape of a model, random weights")[2]
    part = part.partition("\n## ")[0]
    assert part.count("| FlashRank | cannot run: cannot convert it |") == 2
    assert "| 0.250 | 0.900 |" in part


def test_the_report_of_a_fixed_record(tmp_path: Path) -> None:
    write_results(tmp_path, record())
    files = render(tmp_path)
    assert {file.name for file in files} == {
        "README.md", "passages.svg", "lengths.svg", "throughput.svg",
    }  # fmt: skip
    text = (tmp_path / "README.md").read_text("utf-8")
    for piece in (
        *("Test CPU", "8 GiB", "Python 3.11.1", "## Throughput and accuracy", "rms error, sigma"),
        *("500 ms", "100 MiB", "80 MB", "## How cost grows", "![", "cannot run: ConnectionError"),
        *("the median of 3.", "Optimum int8 is not in all: a call would take 30 s."),
        *("2026-01-31 12:00 UTC", "fake 1.0", "50.0%", "5.0%", "the built-in probe"),
    ):
        assert piece in text
    assert "Nothing was measured for this yet" in text  # no base shape


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        write_results(tmp_path / name, record())
        found.append([file.read_bytes() for file in render(tmp_path / name)])
    assert found[0] == found[1]


def test_a_record_survives_being_written(tmp_path: Path) -> None:
    assert read_results(tmp_path) == new_results()
    write_results(tmp_path, record())
    assert read_results(tmp_path) == record()
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("text", ["{", '{"format": 2}', "[]"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, "utf-8")
    with pytest.raises(ResultsError, match=FILE):
        read_results(tmp_path)


def test_an_empty_record_gives_no_report(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no measurements"):
        render(tmp_path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0001234, "0.12 ms"),
        (0.0123, "12.3 ms"),
        (0.456, "456 ms"),
        (1.5, "1.50 s"),
        (123.4, "123 s"),
    ],
)
def test_durations(value: float, expected: str) -> None:
    assert seconds(value) == expected


def test_markdown() -> None:
    assert table(["", "b"], [["x", "1|2"]]) == "|  | b |\n| --- | ---: |\n| x | 1\\|2 |"
    assert (seconds(None), times(None), digits(1234.0)) == ("", "", "1,234")
    one = spread([2.0])
    assert times(one) == "2.00"


def test_long_reasons_are_cut() -> None:
    entry: dict[str, Any] = measurement("latency", failed={"flashrank": "x" * 999})
    last = tables.latency(record(), entry).splitlines()[-1]
    assert "x…" in last
    assert len(last) < 300


def test_a_record_is_of_one_machine(tmp_path: Path) -> None:
    before = record()["machine"]
    check_same_machine(tmp_path, {}, before)
    check_same_machine(tmp_path, before, before | {"plan": "full", "system": "Linux 7.1"})
    with pytest.raises(ResultsError, match=r"\['other'\] here\); --output takes another folder"):
        check_same_machine(tmp_path, before, before | {"features": ["other"]})


def test_a_record_that_cannot_be_read_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.json").write_text("[]")
    assert command.main(["report", "--render-only", "--output", str(tmp_path)]) == 1
    assert "is not a record of format 1" in capsys.readouterr().err
