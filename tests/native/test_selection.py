"""Which engine runs, and why: from Python and on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_rerank import ArtifactError, EngineError, InputError, Reranker, native_library
from edge_rerank.cli import main
from edge_rerank.native_library import Library
from tests.support.tampering import copy_of_model, record_again

QUERY, TEXTS = "list files by size", ["ls -S sorts by size.", "rm removes files."]


@pytest.fixture
def no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the library impossible to find."""
    monkeypatch.setattr(native_library, "FOLDER", tmp_path)
    for user in ("engines", "tokenizing"):
        monkeypatch.setattr(
            f"edge_rerank.{user}.native.load_library", native_library.load_library.__wrapped__
        )


def test_auto_takes_the_native_engine(library: Library) -> None:
    with Reranker.load() as reranker:
        info = reranker.describe()
    assert info.engine == "native"
    assert info.why == "the fastest engine, and it runs this model here"


def test_by_name(library: Library) -> None:
    for name in ("native", "onnxruntime"):
        with Reranker.load(engine=name) as reranker:
            info = reranker.describe()
        assert (info.engine, info.why) == (name, "it was asked for")


@pytest.mark.usefixtures("no_library")
def test_without_a_library_auto_falls_back_and_says_why() -> None:
    with Reranker.load() as reranker:
        info = reranker.describe()
        assert len(reranker.rank(QUERY, TEXTS)) == 2
    assert info.engine == "onnxruntime"
    assert "the native engine cannot: libedge_rerank" in info.why
    assert "EDGE_RERANK_BUILD_NATIVE=1" in info.why


@pytest.mark.usefixtures("no_library")
def test_without_a_library_its_name_and_its_kernels_are_errors() -> None:
    for options in ({"engine": "native"}, {"kernel": "scalar"}):
        with pytest.raises(EngineError, match="is not there: the file is missing; to build it"):
            Reranker.load(**options)  # type: ignore[arg-type]


def test_a_model_that_only_onnx_runtime_can_run(library: Library, artifact_path: Path) -> None:
    with Reranker.load(artifact_path) as reranker:
        info = reranker.describe()
    assert info.engine == "onnxruntime"
    assert "has no model.safetensors" in info.why


def test_damaged_weights_are_no_reason_to_fall_back(library: Library, tmp_path: Path) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    record_again(folder)
    with pytest.raises(ArtifactError, match=r"model\.safetensors"):
        Reranker.load(folder)


def test_kernels_are_the_native_engine_s() -> None:
    with pytest.raises(InputError, match="kernel is 'scalar', but onnxruntime has no kernels"):
        Reranker.load(engine="onnxruntime", kernel="scalar")


_IMPORTS = """
import json, sys
from edge_rerank import Reranker
with Reranker.load(engine=sys.argv[1]) as reranker:
    reranker.rank("a", ["b"])
print(json.dumps([name for name in ("onnxruntime", "onnx", "torch") if name in sys.modules]))
"""


@pytest.mark.parametrize(("engine", "imported"), [("auto", []), ("onnxruntime", ["onnxruntime"])])
def test_onnx_runtime_is_imported_when_it_runs(
    library: Library, engine: str, imported: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS, engine], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == imported


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    out, err = capsys.readouterr()
    return code, out, err


def test_options_of_the_command_line(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for options in ((), ("--engine", "native"), ("--kernel", "scalar")):
        code, out, _ = run(capsys, "rank", QUERY, *TEXTS, "--json", *options)
        assert code == 0
        outputs.append(out)
    assert outputs[0] == outputs[1] == outputs[2]  # to the last bit
    code, out, _ = run(capsys, "rank", QUERY, *TEXTS, "--engine", "onnxruntime", "--json")
    assert (code, json.loads(out.splitlines()[0])["index"]) == (0, 0)
    code, _, err = run(capsys, "rank", QUERY, *TEXTS, "--engine", "tpu")
    assert (code, "invalid choice: 'tpu'" in err) == (2, True)
    code, _, err = run(capsys, "rank", QUERY, *TEXTS, "--kernel", "abacus")
    assert (code, "kernel is 'abacus'; expected one that this CPU runs" in err) == (2, True)


def test_info_says_what_runs_and_why(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "info", "--kernel", "scalar")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert f"engine native {library.version}" in lines
    assert "kernel scalar" in lines
    assert "kernel why asked for" in lines
    assert "why the fastest engine, and it runs this model here" in lines
    _, out, _ = run(capsys, "info", "--json")
    engine = json.loads(out)["engine"]
    assert engine["details"]["kernels"] == list(library.kernels)


def test_the_error_that_is_raised_does_not_depend_on_which_comes_first(
    library: Library, make_artifact: Callable[..., Path], tmp_path: Path
) -> None:
    from edge_rerank import ChecksumError, TokenizerError

    folder = copy_of_model(tmp_path / "spoilt")
    for name in ("tokenizer.json", "model.safetensors"):
        path = folder / name
        path.write_bytes(b"x" * path.stat().st_size)
    for _ in range(3):
        with pytest.raises(ChecksumError):
            Reranker.load(folder)
        with pytest.raises(TokenizerError):
            Reranker.load(folder, verify=False)
