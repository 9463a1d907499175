"""Sessions and sections with fake engines: the record they leave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edge_rerank.artifact.folder import load_artifact
from edge_rerank_bench.peers.catalogue import (
    ARRIVAL,
    BASELINE,
    CATALOGUE,
    PACKED,
    PLANNED,
    SORTED,
    Batching,
    engine,
)
from edge_rerank_bench.peers.conversions import ARTIFACT_INT8, Conversion, Models
from edge_rerank_bench.peers.environments import Environments
from edge_rerank_bench.run import costs, sections
from edge_rerank_bench.run.measuring import drop_section, specs_of
from edge_rerank_bench.run.plan import FAMILIES, PLANS, QUICK, SECTIONS, STANDARD
from edge_rerank_bench.run.readiness import try_engines
from edge_rerank_bench.run.results import new_results
from edge_rerank_bench.run.sections import Run, accuracy
from edge_rerank_bench.run.session import REST, Session
from edge_rerank_bench.run.shapes import Shape
from edge_rerank_bench.run.texts import Texts, python_topics, texts_of
from edge_rerank_bench.run.workloads import Workload, padded_tokens

from .fakes import FakeStarter

NAMES = ("edge-rerank", "transformers", "optimum-int8")


def quiet(text: str) -> None:
    pass


class TinyModels(Models):
    def path(self, model: Conversion) -> Path:
        return self.checkpoint


@pytest.fixture
def shape(artifact_path: Path) -> Shape:
    environments = Environments(artifact_path, {})
    return Shape(
        "xsmall", "tiny", TinyModels(artifact_path, artifact_path, environments, quiet), True
    )


@pytest.fixture
def texts() -> Texts:
    sentence = "Plants eat light and water in the rivers of the world."
    return texts_of(dict.fromkeys("abc", f"{sentence} " * 9))


def run_of(starter: FakeStarter, texts: Texts, names: tuple[str, ...] = NAMES) -> Run:
    results = new_results()
    results["engines"] = {spec.name: {} for spec in CATALOGUE}
    specs = tuple(engine(name) for name in names)
    return Run(QUICK, texts, specs, 2, results, quiet, lambda shape: starter)


def test_a_stream_leaves_times_padding_and_accuracy(shape: Shape, texts: Texts) -> None:
    starter = FakeStarter({"edge-rerank": 0.5, "transformers": 2.0})
    run = run_of(starter, texts)
    sections.stream(run, shape)
    (entry,) = run.results["measurements"]
    assert entry["seconds"]["edge-rerank"] == [[turn, 0.5] for turn in range(QUICK.most)]
    assert entry["seconds"]["transformers"][0] == [0, 2.0]
    assert entry["failed"] == {"optimum-int8": "not installed: prepare it"}
    assert entry["pairs"] == QUICK.stream.passages
    assert entry["padded"]["edge-rerank"] == entry["tokens"]
    assert entry["padded"]["transformers"] >= entry["tokens"]
    found = run.results["accuracy"]["xsmall"]
    assert found["reference"] == "transformers"
    assert found["engines"]["edge-rerank"]["rms_in_sigma"] == 0.0
    assert run.results["engines"]["edge-rerank"]["versions"] == {"fake": "1.0"}
    assert all(worker.closed for worker in starter.workers)
    # Before each call, the warm-up's too, the threads of the one before come to rest.
    assert {rest for worker in starter.workers for rest in worker.rests} == {REST}


def test_a_peer_that_dies_leaves_its_reason(shape: Shape, texts: Texts) -> None:
    times = {"edge-rerank": 0.5, "transformers": 2.0, "optimum-int8": 1.0}
    run = run_of(FakeStarter(times, {"optimum-int8": 2}), texts)
    sections.stream(run, shape)
    (entry,) = run.results["measurements"]
    assert entry["failed"] == {"optimum-int8": "ended with -9: killed"}
    assert "optimum-int8" not in entry["seconds"]
    assert "optimum-int8" in run.results["accuracy"]["xsmall"]["engines"]  # it did answer once


def test_latency_measures_the_core_engines_in_more_cells(shape: Shape, texts: Texts) -> None:
    run = run_of(FakeStarter({"edge-rerank": 0.1, "transformers": 0.2}), texts)
    sections.latency(run, shape)
    first, second = run.results["measurements"]
    assert set(first["seconds"]) == {"edge-rerank", "transformers"}
    assert set(second["seconds"]) == {"edge-rerank"}
    assert (first["passages"], second["passages"]) == (10, 50)
    drop_section(run.results, "latency")
    assert run.results["measurements"] == []


def test_cold_starts(shape: Shape, texts: Texts) -> None:
    run = run_of(FakeStarter({"edge-rerank": 0.1}), texts)
    costs.cold(run, shape)
    found: dict[str, dict[str, Any]] = {entry["engine"]: entry for entry in run.results["cold"]}
    assert len(found["edge-rerank"]["seconds"]) == QUICK.cold_starts
    assert found["edge-rerank"]["peak_bytes"] == [1 << 20] * QUICK.cold_starts
    assert found["transformers"]["failed"] == "not installed: prepare it"


def test_variants_start_like_another_engine(shape: Shape, texts: Texts) -> None:
    times = {"edge-rerank": 0.1, "edge-rerank-avx2": 0.1}
    run = run_of(FakeStarter(times), texts, tuple(times))
    costs.cold(run, shape)
    assert [entry["engine"] for entry in run.results["cold"]] == ["edge-rerank"]


@pytest.mark.parametrize(("budget", "starts"), [(0.0, 3), (60.0, 5)])
def test_cold_starts_over_the_budget(
    shape: Shape, texts: Texts, budget: float, starts: int
) -> None:
    run = run_of(FakeStarter({"edge-rerank": 0.1}), texts)
    plan = replace(run.plan, budget={"cold": budget}, cold_starts=5, cold_least=3)
    costs.cold(replace(run, plan=plan), shape)
    assert len(run.results["cold"][0]["seconds"]) == starts


def test_growth_asks_slow_engines_at_few_points(shape: Shape, texts: Texts) -> None:
    run = run_of(FakeStarter({"edge-rerank": 0.1, "transformers": 0.5}), texts)
    plan = replace(run.plan, growth_others=("transformers",), growth_few=(1, 10, 20))
    costs.growth(replace(run, plan=plan), shape)
    found = {
        (entry["passages"], entry["words"]): "transformers" in entry["seconds"]
        for entry in run.results["measurements"]
    }
    assert found == {
        (1, 60): True, (10, 60): True, (100, 60): False,
        (16, 20): True, (16, 90): False, (16, 370): False,
    }  # fmt: skip


def test_main_engines_have_more_rounds_than_others(shape: Shape, texts: Texts) -> None:
    run = run_of(FakeStarter(dict.fromkeys(NAMES, 0.1)), texts)
    rounds = {spec.name: STANDARD.least("latency", main=spec.main) for spec in run.specs}
    assert rounds == {"edge-rerank": 5, "transformers": 3, "optimum-int8": 5}
    assert engine("edge-rerank-fp32").main
    assert STANDARD.least("growth", main=True) == 2


def test_the_plans_agree_with_themselves() -> None:
    for plan in PLANS.values():
        assert plan.cold_least <= plan.cold_starts
        assert plan.least_others <= plan.least_main <= plan.most
        assert {engine(name).core for name in plan.growth_others} <= {False}
        assert set(plan.budget) == set(SECTIONS)
    assert sum(STANDARD.budget.values()) < 30 * 60
    assert sum(STANDARD.budget[name] for name in FAMILIES) < 8 * 60
    assert STANDARD.growth_passages == (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def test_every_engine_is_tried(shape: Shape, texts: Texts) -> None:
    told: list[str] = []
    run = run_of(FakeStarter({"edge-rerank": 0.25, "transformers": 0.5}), texts)
    missing = try_engines(replace(run, say=told.append), shape, "stream")
    assert missing == {"optimum-int8": "not installed: prepare it"}
    assert any(line.startswith("xsmall, edge-rerank: ") and "250 ms" in line for line in told)
    assert [spec.name for spec in specs_of(run, "base")] == ["edge-rerank", "optimum-int8"]
    assert [spec.name for spec in specs_of(run, "builtin")] == ["edge-rerank"]


def test_a_shape_of_another_family(shape: Shape, texts: Texts) -> None:
    names = ("edge-rerank", "transformers", "optimum-int8", "openvino-fp32")
    starter = FakeStarter(dict.fromkeys(names, 0.1), {"optimum-int8": 1})
    run = run_of(starter, texts, names)
    assert [spec.name for spec in specs_of(run, "bge-base")] == list(names[:3])
    assert {worker.name for worker in starter.workers} == set()
    sections.family(run, replace(shape, name="bge-base"))
    one_query, stream = run.results["measurements"]
    assert {entry["section"] for entry in (one_query, stream)} == {"bge-base"}
    assert (one_query["words"], stream["words"]) == (60, 0)
    assert stream["failed"] == {"optimum-int8": "ended with -9: killed"}  # its row says why
    assert set(stream["seconds"]) == {"edge-rerank", "transformers"}
    found = run.results["accuracy"]["bge-base"]
    assert (found["reference"], set(found["engines"])) == (
        "transformers", {"edge-rerank", "transformers"},
    )  # fmt: skip


def test_growth_leaves_out_calls_that_take_too_long(shape: Shape, texts: Texts) -> None:
    run = run_of(FakeStarter({"edge-rerank": 0.1, "optimum-int8": 6.0}), texts)
    costs.growth(run, shape)
    grown = [entry for entry in run.results["measurements"] if entry["words"] == 60]
    assert [set(entry["seconds"]) for entry in grown] == [
        {"edge-rerank", "optimum-int8"}, {"edge-rerank"}, {"edge-rerank"},
    ]  # fmt: skip
    assert grown[1]["failed"]["optimum-int8"] == "a call would take 60 s"


def test_closing_ends_workers_also_when_one_cannot_start() -> None:
    starter = FakeStarter({"edge-rerank": 0.1})
    with Session(starter, [engine(name) for name in NAMES], threads=1, say=quiet) as session:
        assert set(session.failed) == {"transformers", "optimum-int8"}
        assert session.facts() == {"edge-rerank": {"peak_bytes": 1 << 20}}
    assert starter.workers[0].closed


def test_accuracy_needs_a_reference() -> None:
    assert accuracy({"optimum-int8": [1.0, 2.0]}, CATALOGUE)["reference"] is None
    exact = [1.0, 2.0, 4.0]
    found = accuracy({"edge-rerank-fp32": exact, BASELINE: [1.0, 2.0, 3.0]}, CATALOGUE)
    assert found["reference"] == "edge-rerank-fp32"
    assert found["engines"][BASELINE]["kendall_tau"] == 1.0
    assert found["engines"][BASELINE]["rms_in_sigma"] == pytest.approx(0.4629, abs=1e-4)


@pytest.mark.parametrize(
    ("batching", "tokens"),
    [
        (Batching(PACKED), 100),
        (Batching(ARRIVAL, 2), 2 * 50 + 2 * 30),
        (Batching(SORTED, 2), 2 * 50 + 2 * 10),
        (Batching(ARRIVAL, 3), 3 * 50 + 30),
        (Batching(ARRIVAL, 0), None),
    ],
)
def test_padded_tokens(batching: Batching, tokens: int | None) -> None:
    lengths = [10, 50, 10, 30]
    assert padded_tokens(lengths, batching, threads=1, max_length=512) == tokens


def test_planned_batches_pad_a_little() -> None:
    found = padded_tokens([9, 10, 15], Batching(PLANNED), threads=1, max_length=512)
    assert found == 3 * 16


def test_texts_are_the_same_every_time(texts: Texts) -> None:
    workload = Workload(5, 30)
    pairs = workload.pairs(texts)
    assert pairs == workload.pairs(texts)
    assert {len(text.split()) for _, text in pairs} == {30}
    assert len({query for query, _ in pairs}) == 1
    many = Workload(40, 0).pairs(texts)
    assert len({query for query, _ in many}) <= 3
    assert len({len(text.split()) for _, text in many}) > 10


def test_python_brings_enough_text() -> None:
    found = python_topics()
    assert len(found.topics) > 20
    assert len(found.sha256) == 64
    assert len(found.passage(Random(0), 0, 640).split()) == 640


def test_texts_without_prose_are_refused() -> None:
    with pytest.raises(ValueError, match="no prose"):
        texts_of({"a": "x ::= y"})


def test_the_catalogue_is_sound(artifact_path: Path) -> None:
    names = [spec.name for spec in CATALOGUE]
    assert len(set(names)) == len(names)
    assert names[0] == BASELINE
    assert {spec.starts_like for spec in CATALOGUE} - {""} <= set(names)
    assert str(engine("flashrank").batching) == "its own"
    assert engine(BASELINE).model is ARTIFACT_INT8
    assert load_artifact(artifact_path)
