"""Models side by side: what is measured, what is the same, and what becomes of one that fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import ArtifactNotFoundError, EngineError, InputError, Reranker, Windows
from edge_rerank.evaluation import ModelComparison, compare, read_collection
from edge_rerank.evaluation.bootstrap import Estimate, estimates
from edge_rerank.evaluation.child import Child, ChildError
from edge_rerank.evaluation.comparing import sample
from edge_rerank.evaluation.measures import MEASURES, per_query
from edge_rerank.evaluation.stages import BM25, find
from tests.support.made_collection import write_collection, write_lines

Models = list[Path | None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("collections") / "small")


@pytest.fixture(scope="module")
def run_file(folder: Path) -> Path:
    path = folder.parent / "dense.run.trec"
    lines = ["q1 Q0 bridge 1 9 x", "q1 Q0 plants 2 8 x", "q2 Q0 wing 1 3 x", "q2 Q0 river 2 1 x"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def told() -> dict[str, list[Any]]:
    return {"report": [], "progress": []}


@pytest.fixture(scope="module")
def found(
    folder: Path, run_file: Path, artifact_path: Path, told: dict[str, list[Any]]
) -> ModelComparison:
    """Compare two models, of which one is damaged, after two first stages."""
    damaged = folder.parent / "damaged"
    shutil.copytree(artifact_path, damaged)
    weights = damaged / "model.onnx"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    return compare(
        folder,
        [artifact_path, damaged],
        first_stages=["bm25", run_file],
        engines=["onnxruntime"],
        threads=1,
        output_runs=folder.parent / "runs",
        report=told["report"].append,
        progress=told["progress"].append,
    )


def test_what_is_measured(found: ModelComparison, artifact_path: Path) -> None:
    assert (found.collection, found.documents, found.queries, found.seed) == ("small", 5, 3, None)
    bm25, dense = found.first_stages
    assert (bm25.name, bm25.pairs, bm25.recall_at_depth) == ("bm25", 6, 1.0)
    assert (dense.name, dense.pairs, dense.run is not None) == ("dense", 4, True)
    assert dense.recall_at_depth == pytest.approx((1 / 2 + 1 + 0) / 3)
    name = artifact_path.name
    assert [(system.name, system.first_stage, system.reranked) for system in found.systems] == [
        ("bm25", "bm25", False), (name, "bm25", True), ("damaged", "bm25", True),
        ("dense", "dense", False), (name, "dense", True), ("damaged", "dense", True),
    ]  # fmt: skip
    model = found.systems[1]
    assert model.query_time is not None
    assert 0 < model.query_time.median <= model.query_time.p95
    assert model.query_time.queries == 3
    assert model.tokens is not None
    assert model.tokens > 6 * 5
    assert model.truncated == 0
    run = found.systems[3]
    assert (run.query_time, run.peak_bytes) == (None, None)
    assert found.models[0].engine is not None
    assert found.models[0].engine["name"] == "onnxruntime"
    if sys.platform == "linux":
        assert found.systems[0].peak_bytes is not None
        assert model.peak_bytes is not None
        # A process of its own: not what the tests' own process has had.
        assert 10e6 < found.systems[0].peak_bytes < model.peak_bytes < 200e6


def test_a_model_that_fails_says_why_and_costs_nothing_else(
    found: ModelComparison, told: dict[str, list[Any]]
) -> None:
    assert [model.name for model in found.failed] == ["damaged"]
    assert "model.onnx" in str(found.failed[0].error)
    assert "SHA-256" in str(found.failed[0].error)
    failed = [system for system in found.systems if system.name == "damaged"]
    assert all(system.error == found.failed[0].error for system in failed)
    assert all((system.measures, system.query_time) == ({}, None) for system in failed)
    assert not any("damaged" in (one.system, one.baseline) for one in found.differences)
    assert any(line.startswith("damaged: ") for line in told["report"])


def test_progress_counts_pairs(found: ModelComparison, told: dict[str, list[Any]]) -> None:
    assert told["progress"] == [2, 4, 6, 8, 10]
    assert told["report"][0] == "bm25: finding documents for 3 queries"


def test_the_figures_are_those_of_the_reranker(
    found: ModelComparison, folder: Path, artifact_path: Path
) -> None:
    collection = read_collection(folder)
    documents = {"q1": ["bridge", "plants"], "q2": ["wing", "river"], "q3": []}
    ranked = {}
    with Reranker.load(artifact_path, engine="onnxruntime", threads=1) as model:
        for query, names in documents.items():
            texts = [collection.documents[name] for name in names]
            hits = model.rank(collection.queries[query], texts)
            ranked[query] = [names[hit.index] for hit in hits]
    expected = per_query(ranked, collection.judgements)
    system = found.systems[4]
    for measure in MEASURES:
        mean = sum(expected[measure]) / 3
        assert system.measures[measure].mean == pytest.approx(mean)
        assert system.measures[measure].low <= mean <= system.measures[measure].high
    before = {name: found.systems[3].measures[name].mean for name in MEASURES}
    differences = {one.measure: one for one in found.differences if one.first_stage == "dense"}
    for name, one in differences.items():
        assert (one.system, one.baseline) == (artifact_path.name, "dense")
        assert one.estimate.mean == pytest.approx(system.measures[name].mean - before[name])


@pytest.fixture(scope="module")
def long_folder(folder: Path) -> Path:
    """Return the collection with the answer to each query behind some hundred words."""
    path = write_collection(folder.parent / "long")
    lines = [json.loads(line) for line in (path / "corpus.jsonl").read_text("utf-8").splitlines()]
    filler = " ".join(f"line {n} of the minutes says nothing." for n in range(60))
    texts = [{**line, "title": "", "text": f"{filler} {line['text']}"} for line in lines]
    write_lines(path / "corpus.jsonl", texts)
    return path


def test_long_documents_are_read_in_each_way(long_folder: Path, artifact_path: Path) -> None:
    ways: list[Any] = ["truncate", Windows(overlap=0.5)]
    found = compare(
        long_folder, {"tiny": artifact_path}, engines=["onnxruntime"], threads=1, max_length=48,
        long_documents=ways, query_max_tokens=6,
    )  # fmt: skip
    assert [(model.name, model.long_documents) for model in found.models] == [
        ("tiny (truncate)", "truncate"),
        ("tiny (windows)", "windows"),
    ]
    _, cut, whole = found.systems
    assert cut.tokens is not None
    assert whole.tokens is not None
    assert whole.tokens > 10 * cut.tokens
    assert (cut.truncated, whole.truncated) == (found.first_stages[0].pairs, 0)
    collection = read_collection(long_folder)
    with Reranker.load(artifact_path, engine="onnxruntime", threads=1, max_length=48) as reranker:
        read = sum(
            result.tokens
            for query, documents in find(BM25, "bm25", collection, 100).documents.items()
            for result in reranker.rank(
                collection.queries[query],
                [collection.documents[name] for name in documents],
                long_documents=ways[1],
                query_max_tokens=6,
            )
        )
    assert whole.tokens == read


def test_runs_are_written(found: ModelComparison, folder: Path, artifact_path: Path) -> None:
    names = sorted(path.name for path in (folder.parent / "runs").iterdir())
    own = artifact_path.name
    assert names == sorted(["bm25.trec", "dense.trec", f"{own}.bm25.trec", f"{own}.dense.trec"])
    again = compare(
        folder, {"same": artifact_path}, first_stages=[folder.parent / "runs" / f"{own}.bm25.trec"],
        engines=["onnxruntime"], threads=1,
    )  # fmt: skip
    assert again.systems[0].measures == found.systems[1].measures
    assert again.systems[1].measures == found.systems[1].measures


def test_json(found: ModelComparison) -> None:
    facts = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert facts["systems"][1]["measures"]["nDCG@10"].keys() == {"mean", "low", "high"}
    assert facts["models"][1]["error"] == found.models[1].error
    assert (facts["confidence"], facts["resamples"]) == (0.95, 10_000)


def test_a_sample(folder: Path) -> None:
    collection = read_collection(folder)
    chosen = [tuple(sample(collection, 2, seed).queries) for seed in range(9)]
    assert chosen == [tuple(sample(collection, 2, seed).queries) for seed in range(9)]
    assert len(set(chosen)) > 1
    assert all(list(names) == sorted(names) for names in chosen)
    assert sample(collection, 3, 0) is collection
    assert sample(collection, 99, 0) is collection
    small = sample(collection, 1, 0)
    assert small.queries.keys() == small.judgements.keys()
    assert small.documents == collection.documents


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth is 0; expected a whole number from 1"),
        ({"queries": 0}, "queries is 0; expected a whole number from 1"),
        ({"models": []}, "models, engines and long_documents each need one entry or more"),
        ({"long_documents": []}, "long_documents each need one entry or more"),
        ({"long_documents": "cut"}, "long_documents is .cut.; expected truncate or windows"),
        ({"query_max_tokens": 0}, "query_max_tokens is 0"),
        ({"models": "mini"}, "models is 'mini'; expected a list of folders"),
        ({"models": [None, None]}, r"two systems would have the same name \(mini\)"),
        ({"models": {"bm25": None}}, r"two systems would have the same name \(bm25\)"),
        ({"engines": ["fast"]}, "engine is 'fast'; expected"),
        ({"threads": 0}, "threads is 0; this process may use"),
        ({"first_stages": []}, "first_stages is empty; expected bm25 or files of runs"),
        ({"first_stages": ["bm25", "bm25"]}, "expected each of them once"),
        ({"first_stages": ["gone.trec"]}, r"gone\.trec: cannot be read"),
        ({"collection": "nowhere"}, r"nowhere: has no corpus\.jsonl"),
    ],
)
def test_what_is_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    collection = options.pop("collection", folder)
    with pytest.raises(InputError, match=message):
        compare(collection, options.pop("models", [None]), **options)


def test_a_folder_that_is_no_model_is_said_before_any_work(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(ArtifactNotFoundError, match="nowhere"):
        compare(folder, [tmp_path / "nowhere"], report=said.append)
    assert said == []


def test_intervals_hold_what_they_promise() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(60):
        values = rng.normal(0.3, 0.2, 150)
        (found,) = estimates([values.tolist()])
        assert found.mean == pytest.approx(values.mean())
        inside += found.low <= 0.3 <= found.high
        half = 1.96 * values.std() / np.sqrt(150)
        assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert inside >= 50
    assert estimates([[0.5, 0.5]]) == [Estimate(0.5, 0.5, 0.5)]
    one, other = rng.random(40), rng.random(40)
    columns = [one.tolist(), other.tolist(), (one - other).tolist()]
    assert estimates(columns) == estimates(columns)  # the same draws each time


def test_a_process_that_dies_is_an_error_that_says_how() -> None:
    with Child() as child:
        with pytest.raises(ChildError, match=r"^AssertionError:"):
            child.ask("add", documents=[])  # what fails is an answer, and it goes on
        assert child.ask("memory").keys() == {"peak_bytes"}
        child._process.kill()
        child._process.wait()
        if os.name == "posix":
            with pytest.raises(ChildError, match="ended by SIGKILL; was there too little memory"):
                child.ask("memory")


def test_a_program_without_a_python_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(EngineError, match="need a Python"):
        compare(folder)


def test_neither_an_extra_nor_the_working_folder_is_imported(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')", "utf-8")
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')", "utf-8")
    code = """
import sys
sys.path[:] = [place for place in sys.path if place]
sys.modules["scipy"] = None
from edge_rerank.evaluation import compare
found = compare(sys.argv[1], threads=1)
print(found.systems[1].measures["nDCG@10"].mean)
"""
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert float(done.stdout) > 0.9
