"""Finished lines are never lost: bad lines, signals, full disks, kills, and how to go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import EdgeRerankError, EngineError, InputError, Reranker, TokenizerError
from edge_rerank.cli import main
from edge_rerank.cli.scoring import JsonLines, Line, Members, Scorer
from edge_rerank.reading.objects import Record
from edge_rerank.results import ScoredPair
from tests.cli.runs import COMMAND, LINE, ids, partials, run, shell, tiny, write_pairs

resource: Any = pytest.importorskip("resource")  # not on Windows
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and limits")
COUNT = 600


@pytest.fixture(scope="module")
def whole(artifact_path: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return what 600 good pairs come to."""
    folder = tmp_path_factory.mktemp("whole")
    pairs = write_pairs(folder / "pairs.jsonl", COUNT)
    done = run("score", pairs, "--output", folder / "o", *tiny(artifact_path))
    assert (done.returncode, done.stderr) == (0, b"")
    assert ids(folder / "o") == list(range(COUNT))
    return (folder / "o").read_bytes()


def resumed(artifact_path: Path, pairs: Path, output: Path, *words: str) -> str:
    """Go on, and return what was said."""
    done = run("score", pairs, "--output", output, *tiny(artifact_path), "--resume", *words)
    assert done.returncode == 0, done.stderr
    assert partials(output.parent) == []
    return done.stderr.decode()


def test_a_bad_line(artifact_path: Path, tmp_path: Path, whole: bytes) -> None:
    pairs = write_pairs(tmp_path / "pairs.jsonl", COUNT, bad=500)
    output = tmp_path / "o"
    done = run("score", "--input", pairs, "--output", output, *tiny(artifact_path))
    assert done.returncode == 2
    (kept,) = partials(tmp_path)
    assert not output.exists()
    assert ids(kept) == list(range(500))
    assert f"{pairs}:501: not valid JSON" in done.stderr.decode()
    assert f"; 500 scored lines are kept in {kept}; the same command with --resume goes on" in (
        done.stderr.decode()
    )
    write_pairs(pairs, COUNT)  # mended
    said = resumed(artifact_path, pairs, output)
    assert said == f"edge-rerank: going on after line 500 of {kept}\n"
    assert output.read_bytes() == whole


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGHUP, 129, "ended by SIGHUP"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_a_signal(
    artifact_path: Path, tmp_path: Path, whole: bytes, number: int, code: int, said: str
) -> None:
    pairs, output = write_pairs(tmp_path / "pairs.jsonl", COUNT), tmp_path / "o"
    process = subprocess.Popen(
        [*COMMAND, "score", *tiny(artifact_path), "--output", output],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell starts what runs in the background with this signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    process.stdin.write(b"".join(pairs.read_bytes().splitlines(keepends=True)[:300]))
    process.stdin.flush()
    while not (found := partials(tmp_path)) or found[0].stat().st_size == 0:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    (kept,) = partials(tmp_path)
    assert ids(kept) == list(range(256))
    told = f"edge-rerank: {said}; 256 scored lines are kept in {kept}; " if said else ""
    assert (process.returncode, errors.decode()[: len(told)]) == (code, told)
    resumed(artifact_path, pairs, output)
    assert output.read_bytes() == whole


def test_a_signal_before_the_first_line_leaves_nothing(artifact_path: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "score", *tiny(artifact_path), "--output", tmp_path / "o"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(LINE)
    process.stdin.flush()
    while not partials(tmp_path):
        assert process.poll() is None
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, b"edge-rerank: ended by SIGTERM\n")
    assert list(tmp_path.iterdir()) == []


def can_unshare() -> bool:
    line = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    try:
        return subprocess.run(line, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["score", "rank"])
def test_a_disk_that_fills_under_standard_output(
    artifact_path: Path, tmp_path: Path, command: str, unbuffered: str
) -> None:
    """Python's unbuffered streams pass over what a disk takes no more."""
    pairs = write_pairs(tmp_path / "pairs.jsonl", 100)
    words: list[str | Path] = [command, *tiny(artifact_path)]
    rank: list[str | Path] = ["eat", "--file", pairs, "--text-field", "query", "--json"]
    words.extend([pairs] if command == "score" else rank)
    limit = 1500
    with (tmp_path / "o").open("wb") as stream:
        done = run(
            *words,
            stdout=stream,
            environment={"PYTHONUNBUFFERED": unbuffered},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
    assert (done.returncode, (tmp_path / "o").stat().st_size) == (1, limit)
    assert done.stderr == b"edge-rerank: [Errno 27] File too large\n"


@pytest.mark.skipif(not can_unshare(), reason="needs a namespace of processes")
def test_the_first_process_of_a_container(artifact_path: Path, tmp_path: Path) -> None:
    """It gets no signal that it does not handle; and two of them have the same number, 1."""
    runs = []
    for name in ("a", "b"):
        line = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *COMMAND]
        process = subprocess.Popen(
            [*line, "score", *tiny(artifact_path), "--output", tmp_path / "o"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(LINE.replace(b"{", f'{{"by": "{name}", '.encode()) * 300)
        process.stdin.flush()
        runs.append(process)
    while len([path for path in partials(tmp_path) if path.stat().st_size]) < 2:
        assert all(process.poll() is None for process in runs)
        time.sleep(0.01)
    children = [
        int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        for process in runs
    ]
    os.kill(children[0], signal.SIGTERM)
    _, errors = runs[0].communicate(timeout=60)
    assert b"edge-rerank: ended by SIGTERM; 256 scored lines are kept in " in errors
    _, errors = runs[1].communicate(timeout=60)
    assert (runs[1].returncode, errors) == (0, b"")
    assert (tmp_path / "o").read_bytes().count(b'"by": "b"') == 300
    (kept,) = partials(tmp_path)
    assert kept.read_bytes().count(b'"by": "a"') == 256


def test_a_full_disk(artifact_path: Path, tmp_path: Path, whole: bytes) -> None:
    pairs, output = write_pairs(tmp_path / "pairs.jsonl", COUNT), tmp_path / "o"
    limit = len(whole) * 3 // 4
    done = run(
        *("score", pairs, "--output", output, *tiny(artifact_path), "--at-a-time", "50"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    (kept,) = partials(tmp_path)
    finished = len(ids(kept))  # whole lines alone
    assert 400 <= finished < COUNT
    assert finished % 50 == 0
    assert done.stderr.decode() == (
        f"edge-rerank: [Errno 27] File too large; {finished} scored lines are kept in {kept}; the "
        "same command with --resume goes on after them\n"
    )
    resumed(artifact_path, pairs, output)
    assert output.read_bytes() == whole


def test_a_device_that_is_full(artifact_path: Path) -> None:
    for words, options in (
        (["score", "--output", "/dev/full"], {}),
        (["score"], {"stdout": open("/dev/full", "wb")}),  # noqa: SIM115
        (["info"], {"stdout": open("/dev/full", "wb")}),  # noqa: SIM115
        (["--help"], {"stdout": open("/dev/full", "wb")}),  # noqa: SIM115
    ):
        model = [] if words == ["--help"] else [*tiny(artifact_path)]
        done = run(*words, *model, input=LINE, **options)
        assert (done.returncode, done.stderr) == (
            *(1, b"edge-rerank: [Errno 28] No space left on device\n"),
        )


def test_what_goes_on_where_a_shell_wrote(
    artifact_path: Path, tmp_path: Path, whole: bytes
) -> None:
    """A part of a line at the end is cut; what is there is copied, and replaced when whole."""
    pairs, output = write_pairs(tmp_path / "pairs.jsonl", COUNT), tmp_path / "o"
    output.write_bytes(whole[: len(whole) // 2])
    said = resumed(artifact_path, pairs, output)
    assert "going on after line 300 of " in said
    assert output.read_bytes() == whole
    assert "going on after line 600 of " in resumed(artifact_path, pairs, output)
    assert output.read_bytes() == whole


def test_nothing_to_go_on_after(artifact_path: Path, tmp_path: Path, whole: bytes) -> None:
    pairs, output = write_pairs(tmp_path / "pairs.jsonl", COUNT), tmp_path / "o"
    assert resumed(artifact_path, pairs, output) == ""
    assert output.read_bytes() == whole


def test_what_does_not_belong_is_not_gone_on_with(
    artifact_path: Path, tmp_path: Path, whole: bytes
) -> None:
    output = tmp_path / "o"
    output.write_bytes(whole)
    others = {
        "fewer": write_pairs(tmp_path / "fewer.jsonl", COUNT - 1),
        "other": tmp_path / "other.jsonl",
    }
    others["other"].write_bytes(LINE * (COUNT + 1))
    good = write_pairs(tmp_path / "pairs.jsonl", COUNT + 1)
    for words, message in (
        ((others["fewer"],), "has 600 lines, and the input only 599: it is from another input"),
        ((others["other"],), "o:600: is not what score makes of "),
        ((good, "--score-field", "x"), "o:600: is not what score makes of "),
        ((good, "--logits"), "it was scored by another model, or with other options"),
    ):
        done = run("score", "--output", output, *tiny(artifact_path), "--resume", *words)
        assert done.returncode == 2
        assert message in done.stderr.decode()
        assert output.read_bytes() == whole
    built_in = run("score", "--output", output, "--resume", good)
    assert built_in.returncode == 2
    assert b"was scored by another model" in built_in.stderr


def test_a_run_at_work_is_not_gone_on_with(artifact_path: Path, tmp_path: Path) -> None:
    words = ["score", *tiny(artifact_path), "--output", str(tmp_path / "o")]
    first = subprocess.Popen([*COMMAND, *words], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert first.stdin is not None
    while not partials(tmp_path):
        assert first.poll() is None
    second = run(*words, "--resume", input=LINE)
    assert second.returncode == 2
    assert b".partial: another run is writing it; wait for it, or end it" in second.stderr
    first.communicate(LINE)
    assert (first.returncode, [path.name for path in tmp_path.iterdir()]) == (0, ["o"])


def test_leftovers_of_the_dead_are_in_nobodys_way(artifact_path: Path, tmp_path: Path) -> None:
    foreign = [tmp_path / "o.1.partial", tmp_path / "o.00000000.partial"]
    for path in foreign:
        path.write_text("somebody's")
    words = ("score", *tiny(artifact_path), "--output", tmp_path / "o")
    for _ in range(2):
        assert run(*words, input=LINE).returncode == 0
    assert [path.read_text() for path in foreign] == ["somebody's"] * 2
    assert len(list(tmp_path.iterdir())) == 3


BAD = [
    {"query": "eat", "document": "plants", "id": 1},
    "{oops",
    {"query": "eat", "id": 3},
    {"query": "eat", "document": None, "id": 4, "n": 1.10},
    {"query": "eat", "document": "water", "id": 5},
]


@pytest.fixture
def bad_pairs(tmp_path: Path) -> Path:
    path = tmp_path / "bad.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line) for line in BAD)
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def score(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, list[Any], str]:
    code = main(["score", *map(str, words)])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def test_skipped(artifact_path: Path, bad_pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (*tiny(artifact_path), "--on-error", "skip", bad_pairs)
    code, lines, err = score(capsys, *words)
    assert (code, [line["id"] for line in lines]) == (0, [1, 5])
    assert err.startswith(
        f"edge-rerank: 3 of 5 lines could not be scored and were left out; the first: {bad_pairs}:2"
    )
    assert err.count("\n") == 1


def test_null(artifact_path: Path, bad_pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (*tiny(artifact_path), "--on-error", "null", bad_pairs)
    code, lines, err = score(capsys, *words)
    assert code == 0
    assert [line.get("id") for line in lines] == [1, None, 3, 4, 5]
    assert [line["score"] is None for line in lines] == [False, True, True, True, False]
    assert lines[2]["error"].endswith(
        "no field 'document', only query, id; name it with --text-field"
    )
    assert "3 of 5 lines could not be scored and were written with a score of null" in err


class Failing:
    """A reranker whose model cannot take some pairs, or fails at one."""

    def __init__(self, real: Reranker, at: int, error: type[EdgeRerankError]) -> None:
        self._real, self._at, self._error = real, at, error

    def score(self, pairs: list[tuple[str, str]], **keywords: Any) -> Iterator[ScoredPair]:
        results = self._real.score(pairs, **keywords)
        for index, (pair, scored) in enumerate(zip(pairs, results, strict=True)):
            if pair[0] == f"eat {self._at}":
                error = self._error(f"pair {index}: no")
                error.index = index
                raise error
            yield scored


@pytest.mark.parametrize(
    ("on_error", "kind", "kept", "raised"),
    [
        ("stop", InputError, [0, 1, 2], "x:3: no"),
        ("skip", InputError, [0, 1, 2, 4, 5, 6], None),
        ("null", TokenizerError, [0, 1, 2, 3, 4, 5, 6], None),
        ("skip", EngineError, [0, 1, 2], "pair 3: no"),
    ],
)
def test_a_pair_that_the_model_cannot_take(
    artifact_path: Path, on_error: str, kind: Any, kept: list[int], raised: str | None
) -> None:
    members = Members.named("score")
    lines = []
    for place in range(7):
        record = Record({"id": place}, f'{{"id": {place}}}')
        lines.append(Line(f"x:{place}", 10, record, (f"eat {place}", "plants")))
    written: list[str] = []
    with Reranker.load(artifact_path) as reranker:
        failing: Any = Failing(reranker, 3, kind)
        scorer = Scorer(failing, JsonLines(members), logits=False, on_error=on_error, how={})
        with nullcontext() if raised is None else pytest.raises(EdgeRerankError, match=raised):
            for batch in scorer.batches(iter(lines), 5):
                written += batch
    values = [json.loads(text) for text in written]
    assert [value["id"] for value in values] == kept
    assert [value["id"] for value in values if value["score"] is None] == (
        [3] if on_error == "null" else []
    )


@pytest.mark.parametrize("policy", ["skip", "null"])
def test_policies_are_resumed(
    artifact_path: Path, bad_pairs: Path, tmp_path: Path, policy: str
) -> None:
    output = tmp_path / "o"
    words = ("score", *tiny(artifact_path), "--output", output, "--on-error", policy, bad_pairs)
    assert run(*words).returncode == 0
    finished = output.read_bytes()
    lines = finished.splitlines(keepends=True)
    for count in range(len(lines) + 1):
        output.write_bytes(b"".join(lines[:count]))
        assert run(*words, "--resume").returncode == 0
        assert output.read_bytes() == finished


def test_not_one_good_line_is_a_failure(
    artifact_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("plain\ntext\n")
    code, lines, err = score(capsys, *tiny(artifact_path), "--on-error", "skip", path)
    assert (code, lines) == (2, [])
    assert "2 of 2 lines could not be scored" in err


def test_a_pipeline_of_two_models(artifact_path: Path) -> None:
    """The second run adds fields of its own; a clash is refused by name."""
    script = '"$@" < "$PAIRS" | "$@" --score-field b'
    words = ("score", *tiny(artifact_path))
    pairs = artifact_path.parent / "two.jsonl"
    pairs.write_bytes(LINE)
    done = shell(script, *words, environment={"PAIRS": str(pairs)})
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert list(line)[2:] == [
        *("score", "logit", "tokens", "truncated"),
        *("b", "b_logit", "b_tokens", "b_truncated"),
    ]
    assert line["score"] == line["b"]
    clash = shell('"$@" < "$PAIRS" | "$@"', *words, environment={"PAIRS": str(pairs)})
    assert (clash.returncode, clash.stdout) == (2, b"")
    assert b"standard input:1: has the field 'score', 'logit', 'tokens', 'trunc" in clash.stderr
    assert b"--score-field NAME" in clash.stderr


@pytest.mark.parametrize("policy", ["stop", "skip", "null"])
def test_a_text_is_never_replaced(
    artifact_path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, policy: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"query": "a", "tokens": "b"}\n')
    words = (*tiny(artifact_path), "--text-field", "tokens", "--on-error", policy, path)
    code, lines, err = score(capsys, *words)
    assert (code, lines) == (2, [])
    assert f"{path}:1: has the field 'tokens' already" in err


def test_numbers_and_spelling_are_passed_through(
    artifact_path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.jsonl"
    source = (
        '{"query":"a", "document":"\\u0062","n":[1.10,1e400,12345678901234567890,-0.0],'
        '"s":"\\ud800","é":"中"}'
    )
    path.write_text(f'{source}\n{{ "query": "a", "document": "b", "x": NaN}}\n', "utf-8")
    code = main(["score", *tiny(artifact_path), str(path)])
    out, err = capsys.readouterr()
    assert out.startswith(source[:-1] + ', "score": ')
    assert out.count("\n") == 1
    assert (code, f"{path}:2: not valid JSON: NaN is not a JSON number" in err) == (2, True)
    assert main(["rank", "a", "--file", str(path), "--text-field", "document", "--json",
                 *tiny(artifact_path)]) == 2  # fmt: skip
    path.write_text(source, "utf-8")
    capsys.readouterr()
    assert main(["rank", "a", "--file", str(path), "--text-field", "document", "--json",
                 *tiny(artifact_path)]) == 0  # fmt: skip
    assert capsys.readouterr().out.endswith(f', "document": {source}}}\n')


_PEAK = """
import pathlib, sys
from edge_rerank import EdgeRerankError, EngineError, InputError, Reranker, TokenizerError
from edge_rerank.cli import main
from edge_rerank.cli.scoring import Line, Members, Scorer
from edge_rerank.reading.objects import Record
from edge_rerank.results import ScoredPair
model = ["--model", sys.argv[1], "--engine", "onnxruntime"]
code = main(["score", *model, sys.argv[2], "--output", sys.argv[3]])
lines = pathlib.Path("/proc/self/status").read_text().splitlines()
print(code, next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("field", ["document", "pad"])
def test_long_lines_are_held_a_few_at_a_time(
    artifact_path: Path, tmp_path: Path, field: str
) -> None:
    """300 lines of 2 MB took 1 GiB."""
    peaks = []
    for count in (1, 100):
        source = tmp_path / "long.jsonl"
        line = {"query": "eat", "document": "plants", field: "eat the light " * 150_000}
        source.write_text(f"{json.dumps(line)}\n" * count)
        result = subprocess.run(
            [sys.executable, "-c", _PEAK, str(artifact_path), str(source), str(tmp_path / "o")],
            capture_output=True,
            text=True,
            check=True,
        )
        code, peak = result.stdout.split()
        assert code == "0"
        peaks.append(float(peak))
    assert peaks[1] - peaks[0] < 100  # the lines alone are 210 MB
