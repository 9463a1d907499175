"""Standard streams that are closed, locales that are not UTF-8, threads that cannot be made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_rerank.cli import main
from edge_rerank.cli.streams import printable
from edge_rerank.machine.threads import usable_threads
from tests.cli.runs import COMMAND, LINE, run, shell, tiny, write_pairs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX shells and locales")


@pytest.mark.parametrize(
    "words",
    [["rank", "a", "b"], ["score"], ["score", "--output", "/dev/stdout"], ["info"], ["verify"],
     ["bench", "--seconds", "1"]],
)  # fmt: skip
@pytest.mark.parametrize("closed", [">&-", "1</dev/null"])
def test_without_standard_output_nothing_is_begun(words: list[str], closed: str) -> None:
    done = shell(f'"$@" {closed}', *words, "--model", "/nowhere", input=LINE)
    assert done.returncode == 2
    assert done.stderr.startswith(b"edge-rerank: standard output ")
    assert done.stderr.count(b"\n") == 1


def test_where_output_goes_elsewhere_it_need_not_be_open(
    artifact_path: Path, tmp_path: Path
) -> None:
    words = ("score", *tiny(artifact_path), "--output")
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        done = shell(f'"$@" {closed}', *words, tmp_path / "o", input=LINE)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert json.loads((tmp_path / "o").read_text())["tokens"]
    with_input = shell('"$@" <&- >&- 2>&-', *words, tmp_path / "p", tmp_path / "x.jsonl")
    assert with_input.returncode == 2
    write_pairs(tmp_path / "x.jsonl", 3)
    with_input = shell('"$@" <&- >&- 2>&-', *words, tmp_path / "p", tmp_path / "x.jsonl")
    assert with_input.returncode == 0
    assert (tmp_path / "p").read_bytes().count(b"\n") == 3


def test_errors_never_end_up_in_the_data(artifact_path: Path, tmp_path: Path) -> None:
    done = shell('"$@" 2>&-', "score", *tiny(artifact_path), input=LINE + b"{oops\n")
    assert (done.returncode, done.stdout.count(b"\n"), b"oops" in done.stdout) == (2, 1, False)
    for script in ('"$@" 2>&-', '"$@" >&- 2>&-'):
        done = shell(script, "rank")
        assert (done.returncode, done.stdout) == (2, b"")
    output = tmp_path / "o"
    words = ("score", *tiny(artifact_path), "--output", output, "--on-error", "skip")
    done = shell('"$@" >&- 2>&-', *words, input=LINE + b"{oops\n")
    assert (done.returncode, output.read_bytes().count(b"\n")) == (0, 1)


@pytest.mark.parametrize("words", [["score"], ["rank", "a"], ["rank", "a", "-"]])
def test_without_standard_input(artifact_path: Path, words: list[str]) -> None:
    done = shell('"$@" <&-', *words, *tiny(artifact_path))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"no standard input" in done.stderr or b"no documents" in done.stderr


def test_a_program_without_streams(
    artifact_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A windowed application has none of the three."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    pairs = write_pairs(tmp_path / "x.jsonl", 3)
    model = [*tiny(artifact_path)]
    assert main(["rank", "a", "b", *model]) == 2
    assert main(["score", str(pairs), "--output", str(tmp_path / "o"), *model]) == 0
    assert (tmp_path / "o").read_bytes().count(b"\n") == 3


LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin": {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"},
}


@pytest.fixture(params=sorted(LOCALES))
def locale(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the variables of a locale that is not UTF-8; one is made on the spot."""
    variables = dict(LOCALES[request.param])
    if request.param == "Latin":
        folder = tmp_path_factory.mktemp("locales")
        if shutil.which("localedef") is None:
            pytest.skip("no localedef")
        name = folder / "en_US.ISO-8859-1"
        made = subprocess.run(
            ["localedef", "-i", "en_US", "-f", "ISO-8859-1", "--no-archive", str(name)],
            capture_output=True,
        )
        if not name.is_dir():
            pytest.skip(f"the locale cannot be made: {made.stderr.decode()[:80]}")
        variables["LOCPATH"] = str(folder)
    probe = [sys.executable, "-c", "import sys; print(sys.getfilesystemencoding())"]
    found = subprocess.run(probe, capture_output=True, env={**os.environ, **variables}, text=True)
    assert found.stdout.strip() in ("ascii", "iso8859-1")
    return variables


def test_paths_are_the_systems_and_texts_are_utf8(
    artifact_path: Path, tmp_path: Path, locale: dict[str, str]
) -> None:
    folder = tmp_path / "naïve 中"
    folder.mkdir()
    model = folder / "mödel"
    shutil.copytree(artifact_path, model)
    pairs, output = write_pairs(folder / "pärs.jsonl", 3), folder / "öut"
    texts = folder / "texts"
    texts.write_text('{"tëxt": "plants"}\n{"tëxt": "wörld 中"}\n', "utf-8")

    def act(*words: str | Path) -> str:
        done = run(*words, environment=locale)
        assert (done.returncode, done.stderr) == (0, b""), words
        return done.stdout.decode("utf-8")

    for engine in ("native", "onnxruntime"):
        if engine == "native" and not (model / "model.safetensors").exists():
            continue
        act("rank", "q", "d", "--model", model, "--engine", engine)
    act("score", "--input", pairs, "--output", output, *tiny(model))
    act("score", pairs, "--output", output, *tiny(model), "--score-field", "wërt")
    assert json.loads(output.read_text("utf-8").splitlines()[0])["wërt_tokens"]
    ranked = act("rank", "naïve", "--file", texts, "--text-field", "tëxt", "--json",
                 *tiny(model))  # fmt: skip
    assert {json.loads(line)["document"]["tëxt"] for line in ranked.splitlines()} == {
        *("plants", "wörld 中")
    }
    assert "naïve 中" in act("rank", "q", "naïve 中", *tiny(model))
    assert json.loads(act("info", model, "--json", "--engine", "onnxruntime"))["path"] == str(model)
    assert f"folder      {model}" in act("info", model, "--engine", "onnxruntime")
    assert json.loads(act("verify", model, "--json", "--engine", "onnxruntime"))["path"] == str(
        model
    )
    compared = run("verify", model, "--reference", model, "--pairs", pairs, environment=locale)
    assert compared.returncode == 0, compared.stderr


def test_paths_in_messages(tmp_path: Path, locale: dict[str, str]) -> None:
    for words in (
        ("rank", "q", "d", "--model", tmp_path / "nö"),
        ("rank", "q", "--file", tmp_path / "nö"),
        ("score", tmp_path / "nö"),
        ("info", tmp_path / "nö"),
        ("verify", tmp_path / "nö"),
        ("bench", tmp_path / "nö"),
        ("compare", "--collection", tmp_path / "nö"),
    ):
        done = run(*words, environment=locale)
        assert done.returncode in (1, 2)
        assert str(tmp_path) in done.stderr.decode("utf-8")
        if locale["LC_ALL"] == "C":
            assert "nö" in done.stderr.decode("utf-8")
        assert done.stderr.count(b"\n") == 1


def test_what_is_printed_of_a_path() -> None:
    assert printable("na\udcc3\udcafve") == "naïve"
    assert printable("\udcff") == "\ufffd"
    assert printable("naïve \ud800") == "naïve ?"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("prlimit"),
    reason="the limit of processes is not one for root: it needs to become somebody else",
)
@pytest.mark.parametrize("engine", ["auto", "onnxruntime"])
@pytest.mark.parametrize("words", [["rank", "a", "b"], ["score"], ["info"], ["verify"]])
def test_no_thread_can_be_made(
    artifact_path: Path, words: list[str], engine: str, tmp_path: Path
) -> None:
    """It is said in one line: no traceback, and no word of an interrupt."""
    limited = ["prlimit", "--nproc=1", "setpriv", "--bounding-set=-sys_resource,-sys_admin"]
    limited += ["--ruid", "65533", "--euid", "0", "--keep-groups"]
    model = [] if engine == "auto" else ["--model", str(artifact_path)]
    done = subprocess.run(
        [*limited, *COMMAND, *words, *model, "--engine", engine],
        input=LINE, capture_output=True, timeout=120,
    )  # fmt: skip
    if done.returncode == 0:  # a single thread needs no other
        assert usable_threads() == 1
        return
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"edge-rerank: ")
    assert done.stderr.count(b"\n") == 1
    assert b"thread" in done.stderr
