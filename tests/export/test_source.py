"""What is a folder and what a name: a mistyped path never goes to the hub."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.export.conftest import Make


@pytest.fixture
def here(tmp_path: Path, make_checkpoint: Make, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with models/tiny, and let nothing reach a hub."""
    (tmp_path / "models").mkdir()
    make_checkpoint().rename(tmp_path / "models" / "tiny")
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)

    def asked(*arguments: object) -> None:
        raise AssertionError(f"asked the hub for {arguments}")

    monkeypatch.setattr("edge_rerank_export.hub.download", asked)
    return tmp_path


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("models/tinny", r"no such folder \(models has the checkpoints tiny\).*hf://models/tinny"),
        ("./models/tinny", r"no such folder \(models has the checkpoints tiny\); expected"),
        ("./chekpoint", "no such folder; expected a checkpoint's folder"),
        ("../chekpoint", "no such folder"),
        ("~/chekpoint", "no such folder"),
        ("model/tiny/", r"no such folder \(there is no model either\)"),
        ("/nowhere/tiny", r"no such folder \(there is no /nowhere either\)"),
        ("a/b/c", r"no such folder \(there is no a/b either\)"),
        ("models\\tinny", "no such folder"),
        ("C:\\models\\tinny", "no such folder"),
        ("nothing", r"neither a folder nor a model's name \(OWNER/NAME\)"),
        ("hf://nothing", r"neither a folder nor a model's name \(OWNER/NAME\)"),
        ("", "neither a folder nor a model's name"),
        ("file", "is a file; expected a checkpoint's folder"),
        ("file/tiny", r"no such folder \(file is a file\)"),
    ],
)
def test_what_is_no_name_is_not_asked_for(model: str, message: str, here: Path) -> None:
    from edge_rerank_export import CheckpointError
    from edge_rerank_export.source import fetch_checkpoint

    with pytest.raises(CheckpointError, match=message):
        fetch_checkpoint(model)


@pytest.mark.parametrize("model", ["someone/tiny", "hf://models/tiny", "hf://models/tinny"])
def test_what_is_a_name_is_asked_for(model: str, here: Path) -> None:
    from edge_rerank_export.source import fetch_checkpoint

    with pytest.raises(AssertionError, match="asked the hub"):
        fetch_checkpoint(model)


def test_a_folder_is_a_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_rerank_export import ExportError
    from edge_rerank_export.source import fetch_checkpoint

    monkeypatch.setenv("HOME", str(here))
    for model in ("models/tiny", "./models/tiny/", str(here / "models" / "tiny"), "~/models/tiny"):
        found = fetch_checkpoint(model)
        assert (found.name, found.revision) == ("tiny", None)
    with pytest.raises(ExportError, match=r"main is for a model on the hub; .*hf://models/tiny"):
        fetch_checkpoint("models/tiny", revision="main")


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems have no such names")
def test_a_path_that_is_not_utf8(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import CheckpointError, ExportOptions, export_model
    from edge_rerank_export.source import fetch_checkpoint

    folder = tmp_path / os.fsdecode(b"m\xff")
    make_checkpoint().rename(folder)
    with pytest.raises(CheckpointError, match=r"m\ufffd: the path is not UTF-8.* a link to it"):
        fetch_checkpoint(str(folder))
    (tmp_path / "link").symlink_to(folder)
    output, options = tmp_path / os.fsdecode(b"o\xff"), ExportOptions(precision="fp32")
    report = export_model(str(tmp_path / "link"), output, options, report=lambda line: None)
    assert report.manifest.name == report.manifest.source.model == "m\ufffd"
    assert (output / "manifest.json").exists()
