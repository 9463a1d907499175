"""Collections read strictly; measures against their definitions; the reranking of BM25's best."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_rerank import InputError, MissingExtraError, Reranker
from edge_rerank.evaluation import check_libraries, evaluate, read_collection
from edge_rerank.evaluation.first_stage import bm25_rankings
from edge_rerank.evaluation.measures import difference, per_query
from tests.support.made_collection import write_collection

pytest.importorskip("scipy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_collection(tmp_path / "small")


def test_a_collection(folder: Path) -> None:
    found = read_collection(folder)
    assert found.name == "small"
    assert found.documents["plants"] == "Plants plants eat light and water"
    assert found.documents["bridge"] == "a steel bridge in the wind"
    assert list(found.queries) == ["q1", "q2", "q3"]  # q4 is not judged, "gone" is not asked
    assert found.judgements["q2"] == {"wing": 1, "layer": 0}


def test_compressed_files(folder: Path) -> None:
    expected = read_collection(folder)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"):
        path = folder / name
        (folder / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert read_collection(folder) == expected


def test_qrels_where_beir_puts_them(folder: Path) -> None:
    (folder / "qrels").mkdir()
    text = (folder / "qrels.tsv").read_text("utf-8").split("\n", 1)[1]  # no line of names
    (folder / "qrels.tsv").unlink()
    (folder / "qrels" / "test.tsv").write_text(text, "utf-8")
    assert len(read_collection(folder).queries) == 3


def test_whole_numbers_as_ids_blank_lines_and_line_ends_of_windows(tmp_path: Path) -> None:
    lines = {
        "corpus.jsonl": [
            '{"_id": 7, "text": "a"}',
            "",
            '{"_id": "08", "title": null, "text": "b"}',
        ],
        "queries.jsonl": ["  ", '{"_id": -1, "text": "q"}'],
        "qrels.tsv": ["query-id\tcorpus-id\tscore", "-1\t7\t1", "", "-1\t08\t0", "-1\t7\t1"],
    }
    for name, found in lines.items():
        (tmp_path / name).write_bytes("\r\n".join([*found, ""]).encode())
    collection = read_collection(tmp_path)
    assert collection.documents == {"7": "a", "08": "b"}
    assert collection.queries == {"-1": "q"}
    assert collection.judgements == {"-1": {"7": 1, "08": 0}}


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("corpus.jsonl", None, r"small: has no corpus\.jsonl; a collection has corpus"),
        ("qrels.tsv", None, r"has no qrels\.tsv"),
        ("corpus.jsonl", '{"_id": "a"}', r"corpus\.jsonl:1: no field 'text', only _id; a collec"),
        (
            "corpus.jsonl",
            '{"_id": 1.5, "text": ""}',
            r"corpus\.jsonl:1: '_id' is 1\.5; expected a ",
        ),
        ("corpus.jsonl", '{"_id": true, "text": ""}', r"corpus\.jsonl:1: '_id' is True; expected"),
        (
            "corpus.jsonl",
            '{"_id": 1, "text": ""}\n{"_id": "1", "text": ""}',
            r":2: the _id '1' occ",
        ),
        ("queries.jsonl", '{"_id": "q1", "text": "a"}\n' * 2, r":2: the _id 'q1' occurs a second"),
        ("queries.jsonl", "\n{", r"queries\.jsonl:2: not valid JSON"),
        ("queries.jsonl", '{"_id": "x", "text": "a"}', r"judges no query of queries\.jsonl"),
        ("qrels.tsv", "q1 plants 1", r"qrels\.tsv:1: 'q1 plants 1' is not query id, document id"),
        ("qrels.tsv", "q1\tplants\t1\nq1\tplants\t2", r":2: .* have the grade 2, and another one"),
        ("qrels.tsv", "q1\tplants\tx", r"qrels\.tsv:1: .* whole number, separated by tabs"),
        ("qrels.tsv", "q1\tmoon\t1", r"query 'q1' has the relevant document 'moon', which corpus"),
        ("qrels.tsv", "q1\tplants\t0", r"judges no query"),
    ],
)
def test_collections_that_are_not_right(
    folder: Path, file: str, text: str | None, message: str
) -> None:
    (folder / file).unlink()
    if text is not None:
        (folder / file).write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        read_collection(folder)


def test_measures_are_their_definitions() -> None:
    judgements = {"a": {"x": 3, "y": 1, "z": 0}, "b": {"x": 1}, "c": {"w": 1}}
    rankings = {"a": ["y", "z", "x"], "b": [f"n{i}" for i in range(10)] + ["x"], "c": []}
    found = per_query(rankings, judgements)
    ideal = 3 + 1 / math.log2(3)
    assert found["nDCG@10"] == pytest.approx([(1 + 3 / 2) / ideal, 0.0, 0.0])
    assert found["MRR@10"] == [1.0, 0.0, 0.0]
    assert found["Recall@10"] == [1.0, 0.0, 0.0]


def test_measures_are_trec_evals() -> None:
    ir = pytest.importorskip("ir_measures")
    rng = np.random.default_rng(0)
    names = [f"d{number}" for number in range(40)]
    judgements, rankings = {}, {}
    for query in map(str, range(200)):
        grades = rng.integers(-1, 4, rng.integers(1, 30)).tolist()
        judgements[query] = dict(zip(rng.permutation(names).tolist(), [1, *grades], strict=False))
        rankings[query] = rng.permutation(names)[: rng.integers(0, 40)].tolist()
    run = {
        query: {name: float(-rank) for rank, name in enumerate(ranked)}
        for query, ranked in rankings.items()
    }
    found = per_query(rankings, judgements)
    for name, measure in (("nDCG@10", ir.nDCG), ("MRR@10", ir.RR), ("Recall@10", ir.R)):
        values = {one.query_id: one.value for one in ir.iter_calc([measure @ 10], judgements, run)}
        assert found[name] == pytest.approx([values.get(query, 0.0) for query in judgements])


def test_equal_scores_keep_our_order() -> None:
    names = list("edcba")
    for place, name in enumerate(names):
        assert per_query({"q": names}, {"q": {name: 1}})["MRR@10"] == [1 / (place + 1)]


def test_a_difference_and_its_test() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(200)
    better = base + 0.05 + 0.1 * rng.normal(size=200)
    found = difference("nDCG@10", ("model", better.tolist()), ("BM25", base.tolist()))
    assert found.low < 0.05 < found.high
    assert found.mean == pytest.approx((better - base).mean())
    assert found.p_value < 1e-6
    same = difference("nDCG@10", ("model", [0.5, 0.25]), ("BM25", [0.5, 0.25]))
    assert (same.mean, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_bm25(folder: Path) -> None:
    collection = read_collection(folder)
    found = bm25_rankings(collection.documents, collection.queries, 100)
    assert found["q1"][0] == "plants"
    assert found["q2"] == ["wing", "layer"]  # the others share no word with it
    assert bm25_rankings(collection.documents, {"x": "zebra"}, 3) == {"x": []}
    assert len(bm25_rankings(collection.documents, collection.queries, 1)["q1"]) == 1


def test_an_evaluation(folder: Path, artifact_path: Path) -> None:
    said: list[str] = []
    counts: list[int] = []
    collection = read_collection(folder)
    with Reranker.load(artifact_path, threads=1) as model:
        found = evaluate(collection, model, model, report=said.append, progress=counts.append)
        ranked = {
            query: [
                names[hit.index]
                for hit in model.rank(
                    collection.queries[query], [collection.documents[name] for name in names]
                )
            ]
            for query, names in bm25_rankings(collection.documents, collection.queries, 100).items()
        }
        alone = evaluate(collection, model, depth=1)
        with pytest.raises(InputError, match="depth is 0; expected a whole number from 1"):
            evaluate(collection, model, depth=0)
    assert counts == list(range(1, 2 * found.pairs + 1))
    assert [line.split()[0] for line in said] == ["ranking", "scoring", "scoring"]
    assert set(found.means) == {"BM25", "reference", "model"}
    assert found.means["model"] == found.means["reference"]
    assert {
        difference.p_value for difference in found.differences if difference.baseline == "reference"
    } == {1.0}
    assert found.comparison is not None
    assert found.comparison.overall.max_error == 0
    assert found.recall == 1.0
    json.dumps(found.to_json(), allow_nan=False)
    by_hand = per_query(ranked, collection.judgements)
    for measure, values in by_hand.items():
        assert found.means["model"][measure] == pytest.approx(sum(values) / len(values))
    assert alone.comparison is None
    assert alone.means["model"] == alone.means["BM25"]  # there is nothing to rerank


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"needs scipy.*pip install .*\[evaluation\]"):
        check_libraries()


def test_the_runtime_does_without() -> None:
    code = """
import sys
import edge_rerank, edge_rerank.cli
with edge_rerank.Reranker.load() as reranker:
    reranker.predict([("a", "b")])
names = ("scipy", "edge_rerank.evaluation")
sys.exit(any(name in sys.modules for name in names))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
