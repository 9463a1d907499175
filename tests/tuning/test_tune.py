"""``edge-rerank tune`` from end to end: what comes out, what it says, what it refuses."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("edge_rerank_tuning")

from edge_rerank import Reranker
from edge_rerank.cli import main
from edge_rerank.installation import install_command
from tests.export.conftest import Make
from tests.support.judged import judged, write_lines
from tests.support.made_collection import write_collection
from tests.tuning.conftest import Tune, command


def test_a_better_model_its_checkpoint_and_its_report(
    tune: Tune, make_checkpoint: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = tune(make_checkpoint())
    assert (code, report["verdict"], report["model"]) == (0, "better", "model")
    assert report["difference"]["low"] > 0
    assert report["loss"] == "lambda"
    folder = tmp_path / "tuned"
    assert sorted(os.listdir(folder)) == ["checkpoint", "model", "report.json"]
    assert json.loads((folder / "report.json").read_text()) == report
    (line,) = judged(1, seed=9)
    with Reranker.load(folder / "model") as reranker:
        ranked = reranker.rank(line["query"], line["documents"])
        assert "light" in line["documents"][ranked[0].index]
    manifest = json.loads((folder / "model" / "manifest.json").read_text())
    assert manifest["name"] == "tiny-tuned"
    assert main(["verify", str(folder / "model")]) == 0
    again = tmp_path / "again"
    assert main(["export", str(folder / "checkpoint"), "--output", str(again)]) == 0
    capsys.readouterr()
    code, same = tune(make_checkpoint(), "--resume")  # it is finished
    assert (code, same) == (0, report)
    assert tune(make_checkpoint(), "--resume", "--seed", "3") == (2, {})


def test_a_model_that_learned_the_wrong_thing_is_not_handed_over(
    tune: Tune, make_checkpoint: Make, files: tuple[Path, Path], tmp_path: Path
) -> None:
    # The checkpoint knows already what is right; what it is trained on says the contrary.
    assert tune(make_checkpoint())[0] == 0
    good = tmp_path / "good"
    (tmp_path / "tuned").rename(good)
    write_lines(files[0], judged(40, 1, relevant="steel"))
    code, report = tune(good / "checkpoint", "--patience", "1")
    assert (code, report["verdict"], report["model"]) == (1, "no step was better", None)
    assert report["sentence"].startswith("not better: at no step")
    assert os.listdir(tmp_path / "tuned") == ["report.json"]


def test_what_chance_may_have_made_is_called_so(
    tune: Tune, make_checkpoint: Make, files: tuple[Path, Path], tmp_path: Path
) -> None:
    # One query can never be ranked better: its passages are the same to the tokenizer. Of the
    # draws of three, one in 27 has it alone.
    tie = {"query": "how do plants eat", "documents": ["Water", "water"], "labels": [1, 0]}
    write_lines(files[1], [tie, *judged(2, seed=4)])
    code, report = tune(make_checkpoint())
    assert (code, report["verdict"], report["model"]) == (1, "undecided", "model-not-better")
    assert report["difference"]["low"] == 0
    assert "judge more queries" in report["sentence"]
    assert sorted(os.listdir(tmp_path / "tuned")) == [
        "checkpoint", "model-not-better", "report.json"
    ]  # fmt: skip
    (tmp_path / "tuned").rename(tmp_path / "first")
    code, report = tune(make_checkpoint(), "--allow-not-better")
    assert (code, report["verdict"], report["model"]) == (0, "undecided", "model")


@pytest.mark.parametrize("loss", ["distillation", "softmax"])
def test_pairs_with_a_collection_and_a_head_of_two_logits(
    loss: str, tune: Tune, make_checkpoint: Make, files: tuple[Path, Path], tmp_path: Path
) -> None:
    from tests.export.test_two_logits import two

    for path, seed in zip(files, (1, 2), strict=True):
        lines = [
            {"query": line["query"], "positive": line["documents"][-1]} for line in judged(9, seed)
        ]
        write_lines(path, lines)
    collection = write_collection(tmp_path / "collection")
    code, report = tune(
        two(make_checkpoint, "bert"), "--collection", str(collection), "--relevant-label", "yes",
        "--epochs", "2", "--allow-not-better", *(["--loss", loss] if loss == "softmax" else []),
    )  # fmt: skip
    assert (code in (0, 1), report["train"]["kind"], report["loss"]) == (True, "pairs", loss)
    assert (report["teacher"] is None) == (loss == "softmax")
    assert report["validate"]["passages"] > report["validate"]["queries"] * 2
    if report["model"]:
        assert main(["info", str(tmp_path / "tuned" / report["model"])]) == 0


REFUSED: list[tuple[list[str], str]] = [
    (["--train", "gone.jsonl"], "gone.jsonl: cannot be read"),
    (["--collection", "."], "has no corpus.jsonl; --collection is a folder"),
    (["--output", ""], "the output's name is empty"),
    (["--output", "."], "is not empty; name a new folder"),
    (["--epochs", "0"], "'0' is not a whole number from 1"),
    (["--rate", "7"], "'7' is not a number between 0 and 1"),
    (["--loss", "mse"], "invalid choice: 'mse'"),
    (["--loss", "distillation"], "name the --collection to search"),
    (["--device", "gpu"], "--device is 'gpu'; expected cpu, cuda"),
    (["--device", "meta", "--train", "gone.jsonl"], "--device is 'meta', and torch cannot"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_what_is_refused_before_any_work(
    words: list[str], message: str, files: tuple[Path, Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main([*command(tmp_path / "none", files, tmp_path / "tuned"), *words]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["train.jsonl", "validate.jsonl"]


def test_a_checkpoint_that_is_none_leaves_nothing(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tmp_path / "none", files, tmp_path / "tuned")) == 1
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "tuned").exists()


def test_an_output_of_another_run(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tuned" / "unfinished").mkdir(parents=True)
    assert main(command(tmp_path / "none", files, tmp_path / "tuned")) == 2
    assert "holds an unfinished run; go on with it by --resume" in capsys.readouterr().err


def test_a_query_in_both_files(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files[1].write_text(files[1].read_text() + files[0].read_text().splitlines()[4] + "\n")
    assert main(command(tmp_path / "none", files, tmp_path / "tuned")) == 2
    printed = capsys.readouterr().err
    assert "1 of the 25 queries of --validate are in --train too" in printed
    assert f"{files[1]}:25" in printed
    assert f"{files[0]}:5" in printed


def test_without_its_extra(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    find = importlib.util.find_spec

    def without_torch(name: str, package: str | None = None) -> Any:
        return None if name == "torch" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_torch)
    assert main(command(tmp_path / "none", files, tmp_path / "tuned")) == 1
    printed = capsys.readouterr().err
    assert "edge-rerank tune needs torch" in printed
    assert install_command("tune") in printed
    monkeypatch.setitem(sys.modules, "edge_rerank_tuning.cli", None)
    assert main(["tune", "anything"]) == 1
    assert install_command("tune") in capsys.readouterr().err
