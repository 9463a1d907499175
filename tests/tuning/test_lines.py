"""Files of judged queries: the forms that are found, and every bad line by its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("edge_rerank_tuning")

from edge_rerank.errors import InputError
from edge_rerank_tuning.reading import read_judged, refuse_overlap, telling

FORMS: list[tuple[str, list[dict[str, Any]], str, dict[str, float]]] = [
    (
        "lists",
        [{"query": "q", "documents": ["a", "b"], "labels": [2, 0.5]}],
        "graded",
        {"a": 2.0, "b": 0.5},
    ),
    (
        "binary",
        [
            {"query": "q", "document": "a", "label": True, "id": 7},
            {"query": "q", "document": "b", "score": 0},
        ],
        "binary",
        {"a": 1.0, "b": 0.0},
    ),
    (
        "pairs",
        [{"query": "q", "positive": "a", "negatives": ["b", "c"]}, {"query": "q", "pos": ["d"]}],
        "pairs",
        {"a": 1.0, "b": 0.0, "c": 0.0, "d": 1.0},
    ),
]


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@pytest.mark.parametrize(("name", "lines", "kind", "grades"), FORMS)
def test_the_form_is_found_by_the_data(
    name: str, lines: list[dict[str, Any]], kind: str, grades: dict[str, float], tmp_path: Path
) -> None:
    path = write(tmp_path / "judged.jsonl", lines)
    judged = read_judged(str(path))
    assert judged.kind == kind
    (query,) = judged.queries
    assert (query.text, dict(query.grades), query.place) == ("q", grades, f"{path}:1")
    packed = tmp_path / "judged.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_judged(str(packed)).sha256() == judged.sha256()


def test_tables_have_their_numbers_as_text(tmp_path: Path) -> None:
    path = tmp_path / "judged.csv"
    path.write_text("query,document,grade\nq,a,3\nq,b,0\n")
    (query,) = read_judged(str(path)).queries
    assert dict(query.grades) == {"a": 3.0, "b": 0.0}


GOOD = {"query": "q", "document": "a", "label": 1}
BAD: list[tuple[Any, str]] = [
    ("{", "not valid JSON"),
    ([1], "expected a JSON object"),
    ({"query": "q", "text": "a"}, "has the fields query, text; expected"),
    ({"document": "a", "label": 1}, "has no field 'query', only document, label"),
    (GOOD | {"query": " "}, "'query' is ' ', which is blank; remove the line"),
    (GOOD | {"query": 7}, "'query' is 7; expected a string"),
    (GOOD | {"document": None}, "'document' is None; expected a string"),
    (GOOD | {"document": "\ud800"}, "lone surrogate"),
    (GOOD | {"document": "  "}, "judged relevant is '  ', which is blank"),
    (GOOD | {"label": -1}, "'label' is -1; expected a number from 0"),
    (GOOD | {"label": "high"}, "'label' is 'high'; expected a number from 0"),
    (GOOD | {"label": 1e400}, "Infinity is not a JSON number"),
    (GOOD | {"label": None}, "'label' is None; expected a number"),
    (GOOD | {"grade": 1}, "has both 'label' and 'grade'"),
    ({"query": "q", "document": "a"}, "has no 'label'"),
    (GOOD | {"document": "b", "label": 0}, "the passage 'b' has the grade 0, and in .*:1 1 for"),
    ({"query": "q", "positive": "a"}, "is of another form; write all lines of a file in one"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_bad_lines_are_refused_by_place_and_value(line: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "judged.jsonl", [{"query": "q", "document": "b", "label": 1}])
    text = line if isinstance(line, str) else json.dumps(line)
    path.write_text(path.read_text() + text + "\n")
    with pytest.raises(InputError, match=f"judged.jsonl:2: .*{message}"):
        read_judged(str(path))


OF_OTHER_FORMS: list[tuple[dict[str, Any], str]] = [
    ({"query": "q", "documents": "a", "labels": [1]}, "'documents' is 'a'; expected an array"),
    ({"query": "q", "documents": ["a"], "labels": [1, 0]}, "has 1 documents and 2 labels"),
    ({"query": "q", "documents": ["a", 3], "labels": [1, 0]}, r"'documents'\[1\] is 3"),
    ({"query": "q", "documents": ["a"], "labels": ["x"]}, r"labels\[0\]' is 'x'"),
    ({"query": "q", "documents": [], "labels": []}, "'documents' is \\[\\]"),
    ({"query": "q", "positive": []}, "'positive' is empty"),
    ({"query": "q", "positive": "a", "pos": "b"}, "has 'positive' and 'pos'; keep one"),
    ({"query": "q", "positive": "a", "negatives": [1]}, "'negatives' is 1; expected a string"),
    ({"query": "q", "positive": "a", "negatives": ["a"]}, "has the grade 0, and in .* 1 for"),
]


@pytest.mark.parametrize(("line", "message"), OF_OTHER_FORMS)
def test_bad_lines_of_the_other_forms(line: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "judged.jsonl", [line])
    with pytest.raises(InputError, match=f"judged.jsonl:1: .*{message}"):
        read_judged(str(path))


def test_empty_files_and_queries_in_both_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no lines; expected"):
        read_judged(str(write(tmp_path / "empty.jsonl", [])))
    train = read_judged(str(write(tmp_path / "train.jsonl", [GOOD | {"query": "How  do Plants"}])))
    other = read_judged(
        str(write(tmp_path / "more.jsonl", [GOOD, GOOD | {"query": "how do plants"}]))
    )
    with pytest.raises(InputError, match=r"1 of the 2 .*more.jsonl:2 .* is .*train.jsonl:1"):
        refuse_overlap(train, other)


def test_queries_that_tell_nothing_are_left_out(tmp_path: Path) -> None:
    lines = [
        GOOD,
        GOOD | {"query": "other"},
        GOOD | {"query": "other", "document": "b", "label": 0},
    ]
    judged, left = telling(read_judged(str(write(tmp_path / "judged.jsonl", lines))))
    assert ([query.text for query in judged.queries], left) == (["other"], 1)
