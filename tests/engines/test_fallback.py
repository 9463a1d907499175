"""Where ``auto`` takes the other engine, it says so: once, with the reason."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import EngineError, Reranker, TokenizerError, verify
from edge_rerank.benchmark import benchmark
from edge_rerank.cli import main
from edge_rerank.engines import choose
from tests.support.made_tokenizers import byte_level

REASON = "has no model.safetensors"


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """Whatever was said in this process is forgotten."""
    choose._warn_once.cache_clear()
    yield
    choose._warn_once.cache_clear()


def test_one_warning_in_a_process(artifact_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        with Reranker.load(artifact_path, threads=1) as reranker:
            assert REASON in reranker.describe().why
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("edge_rerank", logging.WARNING)
    for said in ("the native engine cannot run here", REASON, "onnxruntime takes its place"):
        assert said in record.getMessage()


def test_what_was_asked_for_is_no_fall(
    artifact_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Reranker.load(artifact_path, threads=1, engine="onnxruntime").close()
    Reranker.load(threads=1, engine="native").close()
    assert not caplog.records


_LOAD = """
import sys
from edge_rerank import Reranker
exec(sys.argv[2])
for _ in range(2):
    Reranker.load(sys.argv[1], threads=1).close()
"""


@pytest.mark.parametrize(
    ("setting", "lines"),
    [
        ("", 1),
        ("import logging; logging.getLogger('edge_rerank').setLevel('ERROR')", 0),
        ("import logging; logging.getLogger('edge_rerank').addHandler(logging.NullHandler())", 0),
    ],
)
def test_it_is_seen_unless_silenced(artifact_path: Path, setting: str, lines: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, str(artifact_path), setting],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == lines
    assert (REASON in done.stderr) is bool(lines)


def test_on_the_command_line(artifact_path: Path) -> None:
    command = [sys.executable, "-m", "edge_rerank", "rank", "a", "b", "--model", str(artifact_path)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert REASON in line
    assert len(done.stdout.splitlines()) == 1


def test_the_reason_is_in_what_programs_read(
    artifact_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(artifact_path), "--json"]) == 0
    found = [json.loads(capsys.readouterr().out)["engine"]]
    found.append(verify(artifact_path, threads=1).to_json()["engine"])
    found.append(benchmark(artifact_path, seconds=1, threads=1).to_json()["engine"])
    for engine in found:
        assert engine["name"] == "onnxruntime"
        assert REASON in engine["details"]["why"]


def missing(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)


def test_without_onnxruntime_what_it_was_needed_for_is_named(
    artifact_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing(monkeypatch, "onnxruntime")
    with pytest.raises(EngineError, match=rf"onnxruntime cannot be imported: .*needed.*{REASON}"):
        Reranker.load(artifact_path)
    with pytest.raises(EngineError, match=r"needed here .it was asked for.: python -m pip install"):
        Reranker.load(engine="onnxruntime")
    Reranker.load(engine="native").close()


def test_without_tokenizers_what_they_were_needed_for_is_named(
    artifact_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_rerank.tokenizing.choose import PairTokenizer

    path = byte_level(tmp_path / "tokenizer.json")
    content = json.loads(path.read_text("utf-8"))
    content["normalizer"] = {"type": "Nmt"}
    path.write_text(json.dumps(content), "utf-8")
    missing(monkeypatch, "tokenizers")
    message = r"the library tokenizers cannot be imported: .* \(the native one cannot: .*Nmt"
    with pytest.raises(TokenizerError, match=message):
        PairTokenizer(path, max_length=64)
    monkeypatch.setenv("EDGE_RERANK_TOKENIZER", "tokenizers")
    with pytest.raises(TokenizerError, match=r"\(EDGE_RERANK_TOKENIZER is set\): python -m pip"):
        Reranker.load()
    monkeypatch.setitem(sys.modules, "tokenizers", type(sys)("tokenizers"))  # its folder, emptied
    with pytest.raises(TokenizerError, match="cannot be imported"):
        Reranker.load()
    monkeypatch.delenv("EDGE_RERANK_TOKENIZER")
    Reranker.load(engine="native").close()


def test_an_interrupted_import_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*arguments: Any) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("Error calling __set_name__") from interrupt

    monkeypatch.setattr("edge_rerank.loading.parts.import_engine", cut)
    with pytest.raises(KeyboardInterrupt):
        Reranker.load()
    monkeypatch.undo()
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:  # one that is over has nothing to do with it
        missing(monkeypatch, "onnxruntime")
        with pytest.raises(EngineError):
            Reranker.load(engine="onnxruntime")
