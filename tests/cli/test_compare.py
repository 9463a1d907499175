"""``edge-rerank compare``: what is printed, drawn and written, and what ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edge_rerank.cli import main
from tests.cli.runs import COMMAND, run
from tests.support.made_collection import write_collection

Compare = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_collection(tmp_path / "small")


@pytest.fixture
def compare(folder: Path, artifact_path: Path, capsys: pytest.CaptureFixture[str]) -> Compare:
    """Run the command on the small collection; MODEL stands for the tiny model."""

    def act(*words: object) -> tuple[int, str, str]:
        texts = [str(word).replace("MODEL", str(artifact_path)) for word in words]
        code = main(["compare", "--collection", str(folder), "--engine", "onnxruntime", *texts])
        return (code, *capsys.readouterr())

    return act


def test_a_table(compare: Compare, tmp_path: Path) -> None:
    picture, runs = tmp_path / "choice.svg", tmp_path / "runs"
    code, out, err = compare(
        "--model", "mini", "--model", "tiny=MODEL", "--plot", picture, "--output-runs", runs
    )
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows if row and row[-1] == "MB"] == ["bm25", "mini", "tiny"]
    assert next(row for row in rows if row[:1] == ["bm25"])[1] == "1.000"
    assert ["tiny", "-", "mini"] in [row[:3] for row in rows]
    for piece in ("queries    3, all that have a relevant document", "Recall@100 1.000", "p95 ms",
                  "int8, 25.0 MB; engine onnxruntime"):  # fmt: skip
        assert piece in out
    assert max(map(len, out.splitlines())) < 130
    lines = err.splitlines()
    assert lines[0] == "edge-rerank: bm25: finding documents for 3 queries"
    assert "edge-rerank: tiny: ranking 6 documents of bm25" in lines
    assert any(line.startswith("edge-rerank: mini after bm25: nDCG@10 1.000, ") for line in lines)
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    assert sorted(path.name for path in runs.iterdir()) == ["bm25.trec", "mini.trec", "tiny.trec"]


def test_json_of_a_sample(compare: Compare, tmp_path: Path) -> None:
    path = tmp_path / "dense.trec"
    path.write_text("".join(f"q{n} Q0 wing 1 1 x\n" for n in (1, 2, 3)), "utf-8")
    code, out, _ = compare(
        "--model", "MODEL", "--json", "--queries", 2, "--seed", 3, "--depth", 1,
        "--first-stage", "bm25", "--first-stage", path,
    )  # fmt: skip
    facts = json.loads(out)
    assert code == 0
    assert (facts["queries"], facts["judged_queries"], facts["seed"]) == (2, 3, 3)
    assert [stage["depth"] for stage in facts["first_stages"]] == [1, 1]
    assert facts["first_stages"][1]["run"] == str(path)
    assert [system["first_stage"] for system in facts["systems"]] == ["bm25"] * 2 + ["dense"] * 2
    assert {one["measure"] for one in facts["differences"]} == {"nDCG@10", "MRR@10", "Recall@10"}


def test_one_that_fails_is_a_row_and_the_exit_code(compare: Compare, tmp_path: Path) -> None:
    code, out, err = compare("--model", "MODEL", "--model", tmp_path / "nowhere", "--json")
    facts = json.loads(out)
    assert code == 1
    assert [model["error"] is None for model in facts["models"]] == [True, False]
    assert facts["systems"][1]["measures"]["nDCG@10"]["mean"] > 0
    assert "nowhere" in facts["systems"][2]["error"]
    assert "edge-rerank: nowhere: " in err
    code, out, _ = compare("--model", "MODEL", "--model", f"gone={tmp_path}/nowhere")
    assert code == 1
    assert any(line.split()[:2] == ["gone", "failed:"] for line in out.splitlines())


def test_ways_of_reading_long_documents(compare: Compare) -> None:
    code, out, _ = compare(
        "--model", "MODEL", "--long-documents", "truncate", "--long-documents", "windows",
        "--long-documents", "windows", "--window-overlap", "0.5", "--query-max-tokens", "9",
        "--json",
    )  # fmt: skip
    facts = json.loads(out)
    assert code == 0
    assert [model["long_documents"] for model in facts["models"]] == ["truncate", "windows"]
    assert [model["name"].split()[-1] for model in facts["models"]] == ["(truncate)", "(windows)"]
    code, out, _ = compare("--model", "MODEL", "--long-documents", "windows")
    assert code == 0
    assert ", in windows; engine onnxruntime" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-windows", "3"], "--max-windows says something of windows; add --long-documents"),
        (
            ["--long-documents", "windows", "--window-overlap", "1"],
            "overlap is 1; expected a share",
        ),
        (["--model", ""], "the model's name is empty; is the shell variable set?"),
        (["--model", "a=MODEL", "--model", "a=mini"], "two models have the same name; name them"),
        (["--first-stage", "gone.trec"], "gone.trec: cannot be read: No such file or directory"),
        (["--first-stage", ""], "the first stage's name is empty"),
        (["--first-stage", "bm25", "--first-stage", "bm25"], "--first-stage is ['bm25', 'bm25']"),
        (["--plot", ""], "--plot: an empty name is no file that could be written"),
        (["--plot", "/nowhere/a.svg"], "/nowhere/a.svg: cannot be written: No such file"),
        (["--output-runs", "/dev/null"], "/dev/null: runs cannot be written there"),
        (["--queries", "0"], "argument --queries: '0' is not a whole number from 1"),
        (["--seed", "-1"], "argument --seed: '-1' is not a whole number from 0"),
        (["--kernel", "scalar"], "--kernel is 'scalar'"),
    ],
)
def test_bad_usage(compare: Compare, words: list[str], message: str) -> None:
    code, out, err = compare(*words)
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]


def test_a_folder_called_as_the_built_in_model(
    compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mini").mkdir()
    monkeypatch.chdir(tmp_path)
    code, _, err = compare("--model", "mini")
    assert (code, "mini is the built-in model, and a folder here" in err) == (2, True)


@pytest.mark.skipif(sys.platform != "linux", reason="sends signals, reads /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_whole_stays_when_it_is_ended(
    folder: Path, tmp_path: Path, number: int, code: int
) -> None:
    """The built-in model on so many long documents that it takes minutes."""
    text = "water and plants " * 400
    with (folder / "corpus.jsonl").open("a") as stream:
        stream.writelines(json.dumps({"_id": f"x{n}", "text": text}) + "\n" for n in range(2000))
    runs, picture = tmp_path / "runs", tmp_path / "a.svg"
    words = ["compare", "--collection", folder, "--output-runs", runs, "--plot", picture]
    process = subprocess.Popen(
        [*COMMAND, *map(str, words), "--depth", "2000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    while b"mini: ranking" not in process.stderr.readline():
        assert process.poll() is None
    children = _children(process.pid)
    assert children
    os.killpg(process.pid, number)  # as a terminal does
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors.count(b"\n")) == (code, b"", 1)
    assert [path.name for path in runs.iterdir()] == ["bm25.trec"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "small"]
    deadline = time.monotonic() + 60
    while any(map(_is_running, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(word) for word in text.split()]


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_picture_that_cannot_be_written_loses_no_figures(folder: Path) -> None:
    done = run("compare", "--collection", folder, "--plot", "/dev/full", "--json")
    assert (done.returncode, done.stderr.count(b"No space left on device")) == (1, 1)
    assert json.loads(done.stdout)["queries"] == 3


def test_closed_or_full_outputs(folder: Path, artifact_path: Path) -> None:
    words: list[str | Path] = ["compare", "--collection", folder, "--engine", "onnxruntime"]
    words += ["--model", artifact_path]
    with Path("/dev/full").open("wb") as full:
        done = run(*words, stdout=full)
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
