"""``--long-documents windows`` in ``rank`` and ``score``: what is printed, added and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_rerank import Reranker, Windows
from edge_rerank.cli import main

QUERY = "how do plants make food"
STEEL = "The bridge was made of steel and carries trains over the river every day. " * 40
ANSWER = "Plants eat by photosynthesis, which makes sugar of light and water. "
LONG = STEEL + ANSWER + STEEL


@pytest.fixture(scope="module")
def direct() -> Reranker:
    return Reranker.load()


def test_rank_shows_the_best_window(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", QUERY, LONG, "Steel.", "--long-documents", "windows"]) == 0
    heading, first, second, cost = capsys.readouterr().out.splitlines()
    assert heading.split() == ["rank", "score", "document"]
    assert [first.split()[0], second.split()[0]] == ["1", "2"]
    assert any(line.endswith("  Steel.") for line in (first, second))
    assert any(line.partition("  [")[2].partition("] ")[0].count(":") for line in (first, second))
    assert cost.startswith("read in ")
    assert cost.endswith(" tokens in all; the best of each is shown")


def test_rank_prints_windows_as_json(capsys: pytest.CaptureFixture[str], direct: Reranker) -> None:
    options = ["--window-overlap", "0.1", "--mean-of-best", "2", "--max-windows", "2", "--json"]
    assert main(["rank", QUERY, LONG, "--long-documents", "windows", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    how = Windows(overlap=0.1, mean_of_best=2, max_windows=2)
    (expected,) = direct.rank(QUERY, [LONG], long_documents=how)
    assert expected.window is not None
    assert found["window"] == [expected.window.start, expected.window.end]
    assert (found["windows"], found["truncated"]) == (2, True)
    assert (found["score"], found["tokens"]) == (expected.score, expected.tokens)


def test_json_is_as_it_was_without_windows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", QUERY, LONG, "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == [
        *("rank", "index", "score", "logit", "tokens", "truncated", "document")
    ]


def test_score_adds_windows_and_goes_on(tmp_path: Path, direct: Reranker) -> None:
    pairs = tmp_path / "pairs.jsonl"
    rows = [{"query": QUERY, "document": text} for text in ("Steel.", LONG, ANSWER)]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = tmp_path / "scored.jsonl"
    words = ["score", str(pairs), "--long-documents", "windows", "--query-max-tokens", "9"]
    assert main([*words, "--output", str(output)]) == 0
    found = [json.loads(line) for line in output.read_text().splitlines()]
    expected = list(
        direct.score(
            [(row["query"], row["document"]) for row in rows],
            long_documents="windows", query_max_tokens=9,
        )
    )  # fmt: skip
    assert [line["score"] for line in found] == [one.score for one in expected]
    for line, one in zip(found, expected, strict=True):
        assert one.window is not None
        assert line["window"] == [one.window.start, one.window.end]
        assert line["windows"] == len(one.windows)
    whole = output.read_bytes()
    output.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    assert main([*words, "--output", str(output), "--resume"]) == 0
    assert output.read_bytes() == whole
    output.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    assert main(["score", str(pairs), "--output", str(output), "--resume"]) == 2


def test_score_names_windows_by_the_score_field(capsys: pytest.CaptureFixture[str]) -> None:
    """And a field of these names is not replaced; without windows it is nothing special."""
    row = json.dumps({"query": "a", "document": "b", "window": 1})
    import io
    import sys

    for words, code, names in (
        (["--long-documents", "windows"], 2, None),
        (["--long-documents", "windows", "--score-field", "s"], 0, {"s_windows", "s_window"}),
        ([], 0, {"window"}),
    ):
        stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(f"{row}\n".encode()))
        try:
            assert main(["score", *words]) == code
        finally:
            sys.stdin = stdin
        said = capsys.readouterr()
        if names is None:
            assert "has the field 'window' already" in said.err
        else:
            assert names <= set(json.loads(said.out))


@pytest.mark.parametrize("command", ["rank", "score"])
@pytest.mark.parametrize(
    ("option", "value"),
    [("--window-overlap", "0.5"), ("--mean-of-best", "2"), ("--max-windows", "3")],
)
def test_options_of_windows_are_refused_without_them(
    capsys: pytest.CaptureFixture[str], command: str, option: str, value: str
) -> None:
    assert main([command, "a", *(["b"] if command == "rank" else []), option, value]) == 2
    assert f"{option} says something of windows; add --long-docum" in capsys.readouterr().err


def test_a_share_out_of_range_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["rank", "a", "b", "--long-documents", "windows", "--window-overlap", "2"]
    assert main(words) == 2
    assert "overlap is 2; expected a share" in capsys.readouterr().err
