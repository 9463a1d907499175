"""The command line, in process: output, exit codes, and one line for everything that is wrong."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import Reranker, __version__
from edge_rerank.cli import main
from edge_rerank.cli.parser import as_utf8
from edge_rerank.cli.progress import ProgressLine
from edge_rerank.cli.table import columns, fitted
from edge_rerank.installation import install_command

DOCUMENTS = ["plants eat light", "steel bridge", "water flow of rivers"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Run:
    """Runs the command line and keeps what it printed."""

    def __init__(
        self, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.model, self._capsys, self._monkeypatch = model, capsys, monkeypatch
        self.out = self.err = ""

    def __call__(self, *arguments: str, stdin: bytes | None = b"", model: bool = True) -> int:
        typed = Terminal() if stdin is None else io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
        self._monkeypatch.setattr(sys, "stdin", typed)
        words = [*arguments, "--model", str(self.model)] if model else [*arguments]
        code = main(words)
        self.out, self.err = self._capsys.readouterr()
        return code

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def run(
    artifact_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    return Run(artifact_path, capsys, monkeypatch)


def write(path: Path, *lines: object) -> str:
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{line}\n" for line in texts), "utf-8")
    return str(path)


def ranked(model: Path, **keywords: Any) -> list[dict[str, Any]]:
    with Reranker.load(model) as reranker:
        results = reranker.rank("eat", DOCUMENTS, **keywords)
    return [
        {
            "rank": place,
            "index": result.index,
            "score": result.score,
            "logit": result.logit,
            "tokens": result.tokens,
            "truncated": result.truncated,
            "document": DOCUMENTS[result.index],
        }
        for place, result in enumerate(results, 1)
    ]


def test_scoring_that_is_not_done_in_its_time(run: Run) -> None:
    assert run("rank", "eat", *DOCUMENTS, "--timeout", "60") == 0
    assert run("rank", "eat", *DOCUMENTS, "--timeout", "0") == 1
    assert run.out == ""
    assert "edge-rerank: the call was not done within its timeout; " in run.err


def test_rank_gives_what_the_library_gives(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "passages.txt", *DOCUMENTS)
    expected = ranked(run.model)
    for arguments, stdin in (
        (DOCUMENTS, b""),
        (["--file", file], b""),
        ([], "\r\n".join(DOCUMENTS).encode()),
        (["--file", "-"], b"\xef\xbb\xbf" + "\n".join(DOCUMENTS).encode()),
    ):
        assert run("rank", "eat", *arguments, "--json", stdin=stdin) == 0
        assert run.objects == expected
        assert run.err == ""
    assert run("rank", "eat", *DOCUMENTS, "--json", "--top-k", "2", "--logits") == 0
    assert run.objects == ranked(run.model, top_k=2, scores="logits")


def test_rank_jsonl_gives_back_whole_objects(run: Run, tmp_path: Path) -> None:
    objects = [{"_id": str(place), "body": text} for place, text in enumerate(DOCUMENTS)]
    file = write(tmp_path / "corpus.JSONL", *objects)
    assert run("rank", "eat", "--file", file, "--text-field", "body", "--json") == 0
    assert [line["document"] for line in run.objects] == [
        objects[line["index"]] for line in ranked(run.model)
    ]
    stdin = Path(file).read_bytes()
    assert run("rank", "eat", "--jsonl", "--text-field", "body", "--json", stdin=stdin) == 0
    assert len(run.objects) == 3


def test_rank_table(run: Run) -> None:
    assert run("rank", "eat", *DOCUMENTS, "heat " * 200) == 0
    lines = run.out.splitlines()
    assert lines[0].split() == ["rank", "score", "document"]
    assert len(lines) == 6
    assert max(map(len, lines)) <= 100
    (marked,) = (line for line in lines[1:5] if "*" in line.split()[0])
    assert marked.endswith("…")
    assert lines[5].startswith("* 1 of 4 did not fit")


def test_rank_of_nothing_prints_nothing(run: Run) -> None:
    assert run("rank", "eat", stdin=b"\n  \n") == 0
    assert (run.out, run.err) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no documents: give them as arguments"),
        (["a", "--file", "x"], "both as arguments and by --file"),
        (["--file", "nowhere.txt"], "nowhere.txt: cannot be read: "),
        (["a", "--top-k", "0"], "argument --top-k: '0' is not a whole number from 1 (see edge"),
        (["a", "--threads", "0"], "--threads: '0' is not a whole number from 1, or auto (see edge"),
        (
            ["a", "--max-length", "9999"],
            "edge-rerank: --max-length is 9999; expected a whole num",
        ),
        (
            ["a", "--top-k", "x"],
            "--top-k: 'x' is not a whole number from 1 (see edge-rerank rank --help)",
        ),
        (["a", "--nonsense"], "edge-rerank rank: unrecognized arguments: --nonsense"),
        (["a\udcff"], "document 0 holds the lone surrogate '\\udcff'"),
    ],
)
def test_rank_wrong_usage(run: Run, arguments: list[str], message: str) -> None:
    assert run("rank", "eat", *arguments, stdin=None) == 2
    assert message in run.err
    assert (run.out, run.err.count("\n")) == ("", 1)


PAIR = {"query": "eat", "document": "plants"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([PAIR, "{oops"], ":2: not valid JSON: Expecting property name enclosed in double qu"),
        ([PAIR, "", "[1]"], ":3: expected a JSON object, found '[1]'"),
        ([{"query": "a"}], ":1: no field 'document', only query; name it with --text-field"),
        ([{"document": "a"}], ":1: no field 'query', only document; name it with --query-field"),
        ([PAIR, {"query": "a", "document": 5}], ":2: 'document' is 5; expected a string"),
        ([{"query": "\ud800", "document": ""}], ":1: 'query' holds the lone surrogate '\\ud800'"),
        (["[" * 100_000], ":1: not valid JSON: "),
    ],
)
def test_score_bad_lines(run: Run, tmp_path: Path, lines: list[object], message: str) -> None:
    file = write(tmp_path / "pairs.jsonl", *lines)
    output = tmp_path / "scored.jsonl"
    assert run("score", "--input", file, "--output", str(output)) == 2
    assert run.err.startswith(f"edge-rerank: {file}{message}")
    assert (run.out, run.err.count("\n")) == ("", 1)
    kept = [path for path in tmp_path.iterdir() if path.name != "pairs.jsonl"]
    finished = next(place for place, line in enumerate(lines) if line != PAIR)
    assert [len(path.read_text().splitlines()) for path in kept] == [finished] * bool(finished)
    assert not output.exists()


@pytest.mark.parametrize("bad", [b"{oops\n", b"\xff\n"])
def test_lines_before_a_bad_one_are_scored(run: Run, bad: bytes) -> None:
    good = b'{"query": "eat", "document": "plants"}\n' * 3
    assert run("score", stdin=good + bad + good) == 2
    assert run.err.startswith("edge-rerank: standard input:4: not ")
    assert len(run.objects) == 3


def test_not_utf8_is_named_by_line(run: Run) -> None:
    assert run("rank", "eat", stdin=b"plants\nwater\xff\n") == 2
    assert run.err == "edge-rerank: standard input:2: not UTF-8: byte 0xff at 5; convert it\n"


def test_score_streams_in_order_and_passes_fields_through(run: Run, tmp_path: Path) -> None:
    pairs = [
        {"id": place, "query": f"eat {place % 7}", "document": "water " * (place % 120), "x": ["é"]}
        for place in range(1100)
    ]
    file, output = write(tmp_path / "pairs.jsonl", *pairs), tmp_path / "scored.jsonl"
    output.write_text("old")
    assert run("score", "--input", file, "--output", str(output)) == 0
    assert (run.out, run.err) == ("", "")
    scored = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    with Reranker.load(run.model) as reranker:
        expected = reranker.predict([(str(p["query"]), str(p["document"])) for p in pairs])
    assert [line["score"] for line in scored] == expected.tolist()
    assert [{key: line[key] for key in pairs[0]} for line in scored] == pairs
    assert {line["truncated"] for line in scored} == {True, False}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl", "scored.jsonl"]


def test_score_fields_and_logits(run: Run) -> None:
    stdin = b'{"q": "eat", "d": "plants", "place": 9}\n\n{"q": "a", "d": "\\ud83d\\ude00"}'
    arguments = ["--query-field", "q", "--text-field", "d", "--logits"]
    assert run("score", *arguments, stdin=stdin) == 0
    first, second = run.objects
    assert first["score"] == first["logit"]
    assert second["d"] == "😀"


def test_score_output_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    stdin = json.dumps(PAIR).encode()
    assert run("score", "--output", str(tmp_path), stdin=stdin) == 2
    assert "is a folder; expected a file to write" in run.err
    assert run("score", "--output", str(tmp_path / "no" / "x"), stdin=stdin) == 2
    assert "no/x: cannot be written: No such file or directory" in run.err
    assert run.err.count("\n") == 1


def test_info(run: Run, tmp_path: Path) -> None:
    assert run("info", str(run.model), model=False) == 0
    for piece in (
        "tests/tiny",
        "Apache-2.0",
        "verified",
        "onnxruntime 1.",
        "max abs logit difference  1e-06",
        "tiny",
    ):
        assert piece in run.out
    assert run("info", "--json", "--skip-verify", str(run.model), model=False) == 0
    facts = json.loads(run.out)
    assert facts["manifest"] == json.loads((run.model / "manifest.json").read_text("utf-8"))
    assert facts["checksums"] == "not checked"
    assert facts["engine"]["threads"] == facts["cpu"]["usable_threads"]


def test_a_damaged_model_is_a_failure(run: Run, make_artifact: Callable[..., Path]) -> None:
    folder = make_artifact()
    (folder / "model.onnx").write_bytes(b"x")
    for arguments in (["info", str(folder)], ["rank", "a", "b", "--model", str(folder)]):
        assert run(*arguments, model=False) == 1
        assert run.err.startswith(f"edge-rerank: {folder.resolve() / 'model.onnx'}: has 1 bytes")
        assert (run.out, run.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("command", [[], ["rank"], ["score"], ["info"], ["export"], ["verify"]])
def test_help_has_examples_and_exit_codes(run: Run, command: list[str]) -> None:
    assert run(*command, "--help", model=False) == 0
    for piece in ("examples:", "  edge-rerank ", "exit codes:", "  130  interrupted", "  143  "):
        assert piece in run.out


def test_version_and_no_command(run: Run) -> None:
    assert run("--version", model=False) == 0
    assert run.out == f"edge-rerank {__version__}\n"
    assert run(model=False) == 2
    assert run.err.startswith("edge-rerank: the following arguments are required: COMMAND")
    assert run("frobnicate", model=False) == 2
    assert "invalid choice: 'frobnicate'" in run.err


def test_export_without_its_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edge_rerank_export.cli", None)
    assert run("export", "model", "--output", "x", model=False) == 1
    assert install_command("export") in run.err
    assert run.err.count("\n") == 1


@pytest.mark.parametrize("missing", [True, False])
def test_export_hands_over(run: Run, monkeypatch: pytest.MonkeyPatch, missing: bool) -> None:
    seen: list[Any] = []

    class Exporter:
        @staticmethod
        def add_arguments(parser: Any) -> None:
            parser.add_argument("checkpoint")

        @staticmethod
        def run(options: Any) -> int:
            if missing:
                raise ModuleNotFoundError("No module named 'torch'", name="torch")
            seen.append(options.checkpoint)
            return 0

    monkeypatch.setitem(sys.modules, "edge_rerank_export", Exporter)
    monkeypatch.setitem(sys.modules, "edge_rerank_export.cli", Exporter)
    code = run("export", "./checkpoint", model=False)
    assert (code, seen) == ((1, []) if missing else (0, ["./checkpoint"]))
    assert ("No module named 'torch'; the exporter is an extra" in run.err) is missing


@pytest.mark.parametrize(("given", "found"), [("", "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_the_exporter_sleep_unless_told_otherwise(given: str, found: str) -> None:
    program = (
        "import os, sys; sys.argv = ['edge-rerank', 'export', '--help']\n"
        "from edge_rerank.cli import main\n"
        "main(); print(os.environ['OMP_WAIT_POLICY'])"
    )
    variables = {**os.environ, "OMP_WAIT_POLICY": given}
    if not given:
        del variables["OMP_WAIT_POLICY"]
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[-1:] == [found], done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are bytes only on POSIX")
def test_arguments_are_utf8_whatever_the_locale() -> None:
    assert as_utf8("na\udcc3\udcafve") == "naïve"
    assert as_utf8("naïve") == "naïve"
    assert as_utf8("\udcff") == "\udcff"


def test_interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Reranker, "rank", interrupt)
    assert run("rank", "a", "b") == 130
    assert run.err == "edge-rerank: interrupted\n"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 10, "short"),
        ("exactly ten", 11, "exactly ten"),
        ("one too long", 11, "one too lo…"),
        ("中文字符", 8, "中文字符"),
        ("中文字符号", 8, "中文字…"),
        ("e\u0301" * 5, 5, "e\u0301" * 5),
        ("a\tb\n\n c\x1b[31md\x00", 20, "a b c [31md"),
        ("\u202eabc", 5, "abc"),
        ("", 5, ""),
    ],
)
def test_fitted(text: str, width: int, expected: str) -> None:
    assert fitted(text, width) == expected
    assert sum(map(columns, fitted(text, width))) <= width


def test_progress_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, visible in ((Terminal(), True), (io.StringIO(), False)):
        clock = iter(range(1000))
        monkeypatch.setattr("time.monotonic", lambda clock=clock: float(next(clock)))
        monkeypatch.setattr(sys, "stderr", stream)
        progress = ProgressLine("documents", total=40)
        for count in range(1, 21):
            progress.show(count)
        progress.close()
        assert ("[##########..........] 50 %, 20 of 40 documents" in stream.getvalue()) is visible
        assert stream.getvalue().endswith(" \r" if visible else "")
