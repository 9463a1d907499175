"""One grammar for all commands, in the words of the command line; forms of input; variables."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import InputError, Reranker
from edge_rerank.cli import build_parser, main
from edge_rerank.cli.common import to_json, with_members
from edge_rerank.cli.failures import EXIT_CODES, in_options
from tests.cli.runs import LINE, run, shell, tiny

DOCUMENTS = ["plants eat light", "steel bridge", "water flow of rivers"]
COMMANDS = [
    "rank",
    "score",
    "export",
    "tune",
    "info",
    "verify",
    "bench",
    "compare",
    "serve",
    "bundle",
]


@pytest.fixture
def act(artifact_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command; return its code, output and errors. MODEL stands for the tiny model."""

    def do(*words: Any) -> tuple[int, str, str]:
        code = main([str(artifact_path) if word == "MODEL" else str(word) for word in words])
        return (code, *capsys.readouterr())

    return do


def test_options_may_stand_anywhere(act: Any) -> None:
    first = act("rank", "eat", *DOCUMENTS, "--json", "--top-k", "2", "--model", "MODEL")
    assert (first[0], first[2]) == (0, "")
    for words in (
        ("rank", "eat", "--json", *DOCUMENTS, "--top-k=2", "--model", "MODEL"),
        ("rank", "--json", "--model", "MODEL", "eat", DOCUMENTS[0], "--top-k", "2", *DOCUMENTS[1:]),
        ("rank", "--top-k", "2", "--json", "--model", "MODEL", "--", "eat", *DOCUMENTS),
    ):
        assert act(*words) == first


def test_texts_that_begin_with_a_dash(act: Any) -> None:
    for words in (
        ("eat", "-5", "-1.5", "-x means what", "-", "--model", "MODEL", "--json"),
        ("--model", "MODEL", "--json", "--", "eat", "-5", "-1.5", "-x means what", "-"),
        ("eat", "--model", "MODEL", "-5", "--json", "--", "-1.5", "-x means what", "-"),
    ):
        code, out, err = act("rank", *words)
        assert (code, err) == (0, "")
        documents = {json.loads(line)["document"] for line in out.splitlines()}
        assert documents == {"-5", "-1.5", "-x means what", "-"}
    code, _, err = act("rank", "eat", "-x", "--model", "MODEL")
    assert (code, "put -- before texts that begin with a dash" in err) == (2, True)


def test_the_model_is_an_option_everywhere_and_an_argument_too(act: Any) -> None:
    for command in (["info"], ["verify"], ["bench", "--seconds", "1", "--threads", "1"]):
        for words in (["MODEL"], ["--model", "MODEL"]):
            code, out, _ = act(*command, *words, "--json")
            assert (code, json.loads(out).get("name", "tiny")) == (0, "tiny")
        code, _, err = act(*command, "MODEL", "--model", "MODEL")
        assert (code, "named both by an argument and by --model" in err) == (2, True)
        assert "the model's name is empty" in act(*command, "")[2]
    assert "the model's name is empty" in act("rank", "a", "b", "--model", "")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_abbreviated_and_help_is_the_commands_own(act: Any, command: str) -> None:
    _, commands = build_parser()
    known = commands[command]._option_string_actions
    for option in (option for option in known if len(option) > 5 and option[:-1] not in known):
        code, out, err = act(command, option[:-1])
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err == (
            f"edge-rerank {command}: unrecognized arguments: {option[:-1]}; did you mean {option}? "
            f"(see edge-rerank {command} --help)\n"
        )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rank"], "edge-rerank rank: the following arguments are required: QUERY"),
        (["rank", "", "a"], "the query is empty; is the shell variable set?"),
        (["rank", " \t", "a"], "the query is empty; is the shell variable set?"),
        (["rank", "a", "b", "--file", "x"], "both as arguments and by --file or --format"),
        (["rank", "a", "--file", ""], "the file's name is empty"),
        (["score", ""], "the input's name is empty"),
        (["score", "a", "--input", "b"], "the input is named both by an argument and by --input"),
        (["score", "--output", ""], "the output's name is empty"),
        (["score", "--resume"], "--resume needs --output FILE"),
        (["score", "--score-field", ""], "--score-field is empty"),
        (["score", "--threads", "9999"], "--threads is 9999; this process may use 1 to "),
        (["score", "--kernel", "mmx", "--engine", "native"], "--kernel is 'mmx'; expected"),
        (
            ["rank", "a", "b", "--kernel", "scalar", "--engine", "onnxruntime"],
            "--kernel is 'scalar'",
        ),
        (["rank", "a", "b", "--max-length", "9999"], "--max-length is 9999; expected"),
        (["bench", "--seconds", "99"], "--seconds is 99; expected 1 to 60"),
        (["rank", "q", "d", "--timeout", "nan"], "--timeout is nan; expected a number of seconds"),
        (["--model", "x", "rank", "a"], "options come after the command: edge-rerank rank --model"),
        (["rank", "a", "--top-k"], "argument --top-k: expected one argument"),
        (["rank", "a", "--top-k", "--json", "b"], "argument --top-k: expected one argument"),
        (["score", "--on-error", "panic"], "invalid choice: 'panic'"),
    ],
)
def test_messages_speak_of_options(act: Any, words: list[str], message: str) -> None:
    code, out, err = act(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_parameters_are_translated_and_texts_are_not() -> None:
    assert in_options("top_k is 0; expected 1") == "--top-k is 0; expected 1"
    assert in_options("x:1: name it with text_field") == "x:1: name it with --text-field"
    assert in_options("the text (text_field)").endswith("(--text-field)")
    assert in_options("without the check (self_check=False)").endswith("(--skip-self-check)")
    for text in ("kernel panic is text", "the engine is off", "'threads is' 3", "a top_k is"):
        assert in_options(text) == text


def test_what_the_library_says_is_translated(artifact_path: Path) -> None:
    """Each parameter of the library that an option sets, as the library complains about it."""
    for option, call in (
        ("--max-length", lambda: Reranker.load(artifact_path, max_length=0)),
        ("--threads", lambda: Reranker.load(artifact_path, threads=0)),
        ("--kernel", lambda: Reranker.load(kernel="mmx")),  # type: ignore[arg-type]
        ("--engine", lambda: Reranker.load(engine="x")),  # type: ignore[arg-type]
        ("--top-k", lambda: Reranker.load(artifact_path).rank("a", ["b"], top_k=0)),
        ("--at-a-time", lambda: Reranker.load(artifact_path).score([], at_a_time=0)),
    ):
        with pytest.raises(InputError) as raised:
            call()
        assert in_options(str(raised.value)).startswith(f"{option} is ")


def test_json_is_strict() -> None:
    text = to_json({"a": [float("inf"), {"b": float("nan")}], "c": 1.5})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None, {"b": None}], "c": 1.5}
    assert with_members("{ }", {"a": 1}) == '{"a": 1}'
    assert with_members('{"a": "}" }', {"b": None}) == '{"a": "}", "b": null}'


OBJECTS = [{"text": text} for text in DOCUMENTS]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.ndjson", "".join(f"{json.dumps(line)}\n" for line in OBJECTS)),
        ("d.jsonlines", "".join(f"{json.dumps(line)}\n" for line in OBJECTS)),
        ("d.json", json.dumps(OBJECTS, indent=2)),
        ("d.json", json.dumps(DOCUMENTS, indent=2)),
        ("d.csv", "text\n" + "\n".join(DOCUMENTS)),
        ("d.tsv", "n\ttext\n" + "\n".join(f"1\t{text}" for text in DOCUMENTS)),
        ("d.txt", "\n".join(DOCUMENTS)),
    ],
)
def test_forms_of_documents(act: Any, tmp_path: Path, name: str, content: str) -> None:
    def texts(out: str) -> list[str]:
        found = [json.loads(line)["document"] for line in out.splitlines()]
        return [value if isinstance(value, str) else value["text"] for value in found]

    expected = texts(act("rank", "eat", *DOCUMENTS, "--json", "--model", "MODEL")[1])
    path = tmp_path / name
    for ending, data in (("", content.encode()), (".gz", gzip.compress(content.encode()))):
        named = path.with_name(name + ending)
        named.write_bytes(data)
        code, out, err = act("rank", "eat", "--json", "--file", named, "--model", "MODEL")
        assert (code, texts(out), err) == (0, expected, "")


def test_objects_on_standard_input(artifact_path: Path) -> None:
    lines = "".join(f"{json.dumps(line)}\n" for line in OBJECTS).encode()
    array = json.dumps(OBJECTS).encode()
    for words, data in (
        (["-"], lines),
        ([], array),
        (["--file", "-"], gzip.compress(lines)),
        (["--file", "/dev/stdin"], gzip.compress(array)),
    ):
        done = run("rank", "eat", *words, "--json", *tiny(artifact_path), input=data)
        assert (done.returncode, done.stderr) == (0, b"")
        assert json.loads(done.stdout.splitlines()[0])["document"]["text"] in DOCUMENTS
    done = run("rank", "eat", "--model", artifact_path, input=b'{"body": "x"}\n')
    assert done.returncode == 2
    assert b"standard input:1: no field 'text', only body; name it with --text-field" in done.stderr
    done = run(
        "rank", "eat", "--format", "text", "--model", artifact_path, input=b'{"body": "x"}\n'
    )
    assert (done.returncode, b'{"body": "x"}' in done.stdout) == (0, True)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.jsonl", LINE.decode() * 3),
        ("p.json", json.dumps([json.loads(LINE)] * 3, indent=1)),
        ("p.csv", "query,document\n" + "eat,plants\n" * 3),
        ("p.tsv", "query\tdocument\n" + "eat\tplants\n" * 3),
    ],
)
def test_forms_of_pairs(
    act: Any, tmp_path: Path, name: str, content: str, compressed: bool
) -> None:
    path = tmp_path / (f"{name}.gz" if compressed else name)
    path.write_bytes(gzip.compress(content.encode()) if compressed else content.encode())
    code, out, err = act("score", path, "--model", "MODEL")
    assert (code, err) == (0, "")
    assert [json.loads(line)["document"] for line in out.splitlines()] == ["plants"] * 3
    code, out, err = act("verify", "MODEL", "--reference", "MODEL", "--pairs", path, "--json")
    assert json.loads(out)["comparison"]["overall"]["pairs"] == 3


def test_threads(act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_RERANK_THREADS", "1")
    for words in ([], ["--threads", "auto"]):
        code, out, _ = act("info", "MODEL", "--json", *words)
        facts = json.loads(out)
        usable = facts["cpu"]["usable_threads"]
        assert (code, facts["engine"]["threads"]) == (0, usable if words else 1)
        assert facts["environment"] == {"EDGE_RERANK_THREADS": "1"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "EDGE_RERANK_THREADS",
            "9999",
            "edge-rerank: EDGE_RERANK_THREADS is 9999, and this ",
        ),
        ("EDGE_RERANK_THREADS", "many", "edge-rerank: EDGE_RERANK_THREADS is 'many'; expected a w"),
        ("EDGE_RERANK_THREADS", "0", "edge-rerank: EDGE_RERANK_THREADS is '0'; expected a whole"),
        ("EDGE_RERANK_KERNEL", "mmx", "edge-rerank: EDGE_RERANK_KERNEL is 'mmx'; expected"),
        ("EDGE_RERANK_TOKENIZER", "no", "edge-rerank: EDGE_RERANK_TOKENIZER is 'no'; expected"),
    ],
)
def test_info_stops_for_no_variable(name: str, value: str, message: str) -> None:
    done = run("info", "--json", environment={name: value})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["environment"] == {name: value}
    assert done.stderr.decode().startswith(message)
    assert done.stderr.count(b"\n") == 1
    assert value in run("info", environment={name: value}).stdout.decode()
    ranked = run("rank", "a", "b", environment={name: value})
    assert ranked.returncode == (0 if value == "9999" else 2)
    assert ranked.stderr.count(b"\n") == 1


def test_a_warning_speaks_of_options(artifact_path: Path) -> None:
    """The tiny model has no weights for the native engine."""
    done = run("rank", "a", "b", "--model", artifact_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
    assert done.stderr.startswith(b"edge-rerank: the native engine cannot run here: ")
    assert b"; --engine onnxruntime asks for it without this warning" in done.stderr
    quiet = run("rank", "a", "b", "--model", artifact_path, "--engine", "onnxruntime")
    assert (quiet.returncode, quiet.stderr) == (0, b"")


def test_an_empty_variable_of_the_shell(artifact_path: Path) -> None:
    done = shell('"$@" "$NOTHING" a b', "rank", "--model", artifact_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"edge-rerank: the query is empty; is the shell variable set?\n"


def test_exit_codes_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text("utf-8")
    for line in EXIT_CODES.splitlines()[1:]:
        assert f"| {line.split()[0]} |" in page
