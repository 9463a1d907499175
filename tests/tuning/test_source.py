"""Tuning an int8 segment model, such as the built-in one, whose float32 weights are not there."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("edge_rerank_tuning")

from edge_rerank import Reranker  # noqa: E402
from edge_rerank.artifact import load_artifact  # noqa: E402
from edge_rerank.artifact.builtin import builtin_model  # noqa: E402
from edge_rerank.cli import main  # noqa: E402
from edge_rerank_export.pipeline import ExportOptions, export_model  # noqa: E402
from edge_rerank_tuning.options import TuneOptions  # noqa: E402
from edge_rerank_tuning.place import Place  # noqa: E402
from edge_rerank_tuning.source import checkpoint_of, keep_artifact  # noqa: E402
from tests.support.judged import judged, write_lines  # noqa: E402
from tests.support.segments import write_segment_checkpoint  # noqa: E402
from tests.tuning.conftest import Tune  # noqa: E402


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("source"), max_length=200)


def exported(folder: Path, **options: Any) -> Path:
    checkpoint = write_segment_checkpoint(folder / "checkpoint")
    chosen = ExportOptions(name="small", license="MIT", **options)
    export_model(str(checkpoint), folder / "artifact", chosen, report=lambda line: None)
    return folder / "artifact"


def test_an_artifact_is_tuned_from_end_to_end(tune: Tune, artifact: Path, tmp_path: Path) -> None:
    code, report = tune(artifact, "--allow-not-better", "--epochs", "2")
    assert (code, report["model"]) == (0, "model"), report
    assert report["checkpoint"]["name"] == "small"
    folder = tmp_path / "tuned"
    assert sorted(os.listdir(folder)) == ["checkpoint", "model", "report.json"]
    manifest = json.loads((folder / "model" / "manifest.json").read_text("utf-8"))
    assert (manifest["name"], manifest["license"]) == ("small-tuned", "MIT")
    assert (manifest["max_length"], manifest["architecture"]["family"]) == (200, "segment-bert")
    # What was before is the artifact itself, not another rounding of it.
    line = judged(1, seed=9)[0]
    before, _ = report["comparison"]["models"]
    assert before["path"] == str(artifact)
    with Reranker.load(artifact) as one, Reranker.load(folder / "model") as other:
        pair = [(line["query"], line["documents"][0])]
        assert [r.logit for r in one.score(pair)] != [r.logit for r in other.score(pair)]
    assert main(["verify", str(folder / "model")]) == 0


def test_the_built_in_model_goes_by_its_name(tmp_path: Path) -> None:
    options = TuneOptions("mini", "", "", str(tmp_path / "run"))
    place = Place(options.output, resume=False)
    checkpoint = checkpoint_of(options, place)
    assert (checkpoint.name, checkpoint.license) == ("mini", "Apache-2.0")
    assert checkpoint.max_length == 512
    assert not place.begun  # nothing that a next run would have to be told to go on with
    assert keep_artifact(options, place)
    assert place.begun
    assert load_artifact(place.before).manifest.max_length == 512
    same = (place.before / "model.safetensors").read_bytes()
    assert same == (builtin_model() / "model.safetensors").read_bytes()
    place.close()


def test_both_models_read_as_many_tokens(artifact: Path, tmp_path: Path) -> None:
    for asked, read in ((None, 200), (64, 64), (300, 200)):
        options = TuneOptions(str(artifact), "", "", str(tmp_path / "run"), max_length=asked)
        place = Place(options.output, resume=True)
        assert checkpoint_of(options, place).max_length == 200
        assert keep_artifact(options, place)
        assert load_artifact(place.before).manifest.max_length == read
        place.close()


def test_what_is_gone_on_with_is_what_is_named(artifact: Path, tmp_path: Path) -> None:
    options = TuneOptions(str(artifact), "", "", str(tmp_path / "run"))
    place = Place(options.output, resume=False)
    one = checkpoint_of(options, place).sha256()
    other = checkpoint_of(replace(options, checkpoint="mini"), place)
    assert (other.name, other.sha256() == one) == ("mini", False)
    place.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"precision": "fp32"}, "fp32 artifact .* tune the checkpoint that it was made of"),
        ({"activation": "identity"}, "activation 'identity' .* tune the checkpoint"),
    ],
)
def test_an_artifact_that_cannot_be_tuned_is_refused(
    change: dict[str, str],
    words: str,
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    artifact = exported(tmp_path, **change)
    train, validate = map(str, files)
    command = ["tune", str(artifact), "--train", train, "--validate", validate]
    assert main([*command, "--output", str(tmp_path / "tuned")]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(words, error), error
    assert not (tmp_path / "tuned").exists()


def test_a_word_that_is_wrong_leaves_nothing_behind(
    artifact: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    train, validate = map(str, files)
    command = ["tune", str(artifact), "--train", train, "--validate", validate]
    command += ["--output", str(tmp_path / "tuned")]
    assert main([*command, "--prompt", "no such one"]) == 1
    assert not (tmp_path / "tuned").exists()
    write_lines(files[0], judged(4, 1))
    assert main([*command, "--revision", "main"]) == 2
    assert not (tmp_path / "tuned").exists()
