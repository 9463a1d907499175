"""TREC runs: read strictly, written so that every reader orders them alike."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from edge_rerank import InputError
from edge_rerank.evaluation import Collection, read_collection
from edge_rerank.evaluation.figures import Measured
from edge_rerank.evaluation.runs import RunFolder, read_run, write_run
from tests.support.made_collection import write_collection


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return read_collection(write_collection(tmp_path / "small"))


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["run.trec", "run.trec.gz"])
def test_a_run(collection: Collection, tmp_path: Path, name: str) -> None:
    text = (
        "q1 Q0 river 2 0.5 x\r\n\r\nq1\tQ0\tplants\t1\t1.5e1\tx\r\n"
        "other Q0 nowhere 1 1 x\r\nq2 Q0 wing 3 7 x\r\nq2 Q0 layer 1 7 x\r\nq2 Q0 river 9 inf x"
    )
    found = read_run(write(tmp_path / name, text), collection)
    assert found == {"q1": ["plants", "river"], "q2": ["river", "layer", "wing"], "q3": []}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 Q0 plants 1 1", r":2: 'q1 Q0 plants 1 1' has 5 columns; a run has six columns: qu"),
        ("q1", r":2: 'q1' has 1 column; a run has six"),
        ("q1 Q0 plants 1 1 x y", r":2: .* has 7 columns"),
        ("q1 Q0 plants 1 high x", r":2: the score 'high' is not a number"),
        ("q1 Q0 plants 1 nan x", r":2: the score 'nan' is not a number"),
        ("q1 Q0 plants one 1 x", r":2: the rank 'one' is not a whole number"),
        ("q1 Q0 moon 1 1 x", r":2: corpus\.jsonl has no document 'moon'; is this a run of another"),
        ("q1 Q0 river 2 1 x", r":2: query 'q1' has the document 'river' twice"),
        ("q1 Q0 riv\xff 2 1 x", r":2: not UTF-8: byte 0xff"),
    ],
)
def test_runs_that_are_not_right(
    collection: Collection, tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "bad.trec"
    path.write_bytes(f"q1 Q0 river 1 2 x\n{line}\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"bad\.trec" + message):
        read_run(path, collection)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\n", r"is empty; a run has six columns"),
        ("other Q0 river 1 1 x\n", r"ranks nothing for any judged query of small; are its query"),
    ],
)
def test_runs_of_nothing(collection: Collection, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_run(write(tmp_path / "none.trec", text), collection)
    with pytest.raises(InputError, match=r"gone\.trec: cannot be read: No such file"):
        read_run(tmp_path / "gone.trec", collection)


def test_scores_fall_whatever_they_were(collection: Collection, tmp_path: Path) -> None:
    order = ["wing", "plants", "river", "layer", "bridge"]
    scores = [3.0, 3.0, 3.0, 8.0, 1.0]  # a blank document comes last, whatever its score
    path = tmp_path / "run.trec"
    write_run(path, {"q2": list(zip(order, scores, strict=True)), "q3": []}, "my model")
    lines = [line.split() for line in path.read_text("utf-8").splitlines()]
    assert [line[2] for line in lines] == order
    assert [line[3] for line in lines] == ["1", "2", "3", "4", "5"]
    assert {line[5] for line in lines} == {"my_model"}
    values = [float(line[4]) for line in lines]
    assert values == sorted(set(values), reverse=True)
    assert values[0] == 3.0
    assert values[3] > 2.99
    assert read_run(path, collection)["q2"] == order


def test_names_of_files(collection: Collection, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "new" / "runs", collection)
    for name in ("my/model (native)", "my:model (native)", "…"):
        folder.write(Measured(name, "bm25", reranked=True, rankings={"q1": [("wing", 1.0)]}))
    folder.write(Measured("mini", "bm25", reranked=True), "bm25")
    names = sorted(path.name for path in (tmp_path / "new" / "runs").iterdir())
    assert names == ["mini.bm25.trec", "my-model-native-2.trec", "my-model-native.trec", "run.trec"]


def test_a_folder_that_takes_no_run(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: runs cannot be written there: File exists"):
        RunFolder(tmp_path / "file", collection)
    blank = Collection("c", {"a b": ""}, collection.queries, collection.judgements)
    with pytest.raises(InputError, match=r"c: the document id 'a b' is empty or has a blank in it"):
        RunFolder(tmp_path / "runs", blank)
    assert not (tmp_path / "runs").exists()
