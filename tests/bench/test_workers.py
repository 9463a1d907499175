"""Worker processes, environments and conversions, with this Python alone."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_rerank_bench.peers import conversions
from edge_rerank_bench.peers import environments as module
from edge_rerank_bench.peers.catalogue import CATALOGUE, engine
from edge_rerank_bench.peers.conversions import (
    ARTIFACT_FP32,
    ARTIFACT_INT8,
    CHECKPOINT,
    OPENVINO_FP32,
    OPENVINO_INT8,
    ConversionError,
    Models,
)
from edge_rerank_bench.peers.environments import (
    ENVIRONMENTS,
    OWN,
    EnvironmentMissingError,
    Environments,
    module_command,
)
from edge_rerank_bench.run.process import PeerError, WorkerProcess
from edge_rerank_bench.run.session import ProcessStarter
from edge_rerank_bench.worker import CannotRunError
from edge_rerank_bench.worker.batches import cut, has_types, pad_id, padded
from edge_rerank_bench.worker.serve import Worker, answered, versions

PAIRS = [["how do plants eat", "plants eat light"], ["how do plants eat", "steel bridge"]]


def quiet(text: str) -> None:
    pass


def script(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_our_own_engine_in_a_process(artifact_path: Path) -> None:
    environments = Environments(artifact_path, {})
    models = Models(artifact_path, artifact_path.parent, environments, quiet)
    starter = ProcessStarter(models, environments, artifact_path)
    object.__setattr__(models, "folder", artifact_path.parent)
    command = module_command(environments.python(OWN), "worker.serve")
    assert starter.cache == artifact_path
    with WorkerProcess(command, threads=1) as worker:
        settings = {"model": str(artifact_path), "engine": "onnxruntime", "threads": 1}
        opened = worker.ask(do="open", adapter="own", settings=settings)
        assert opened["versions"]["tokenizers"]
        assert worker.ask(do="texts", name="a", pairs=PAIRS) == {}
        answer = worker.ask(do="score", name="a", logits=True)
        assert answer["seconds"] > 0
        assert len(answer["logits"]) == 2
        start = time.perf_counter()
        rested = worker.ask(do="score", name="a", logits=False, rest=0.2)
        assert "logits" not in rested
        # The rest is not in the engine's own time.
        assert rested["seconds"] <= time.perf_counter() - start - 0.2
        facts = worker.ask(do="facts")
        assert facts["engine"]["name"] == "onnxruntime"
        assert facts["tokenizing"] > 0
        assert set(worker.ask(do="facts", brief=True)) == {"peak_bytes"}
        with pytest.raises(PeerError, match="ModuleNotFoundError"):
            worker.ask(do="open", adapter="nobody", settings={})
        with pytest.raises(PeerError, match="KeyError"):
            worker.ask(do="score", name="unknown", logits=False)


def test_a_worker_that_ends_says_why() -> None:
    with WorkerProcess(script("raise SystemExit('no such model')"), threads=1) as worker:
        with pytest.raises(PeerError, match="ended with 1: no such model"):
            worker.ask(do="open")
        with pytest.raises(PeerError, match="ended with 1"):
            worker.ask(do="open")


def test_a_worker_that_hangs_is_given_up() -> None:
    code = "import time; time.sleep(60)"
    with (
        WorkerProcess(script(code), threads=1, timeout=0.2) as worker,
        pytest.raises(PeerError, match=r"no answer within 0\.2 s"),
    ):
        worker.ask(do="open")


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="cannot be started"):
        WorkerProcess([str(tmp_path / "python")], threads=1)


def test_a_peer_without_its_model_says_so_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    class OfflineError(Exception):
        pass

    def ranker(**_: object) -> None:
        raise OfflineError("HTTPSConnectionPool(host='a.name', port=443): Max retries")

    exceptions = SimpleNamespace(RequestException=OfflineError)
    monkeypatch.setitem(sys.modules, "requests", SimpleNamespace(exceptions=exceptions))
    monkeypatch.setitem(sys.modules, "requests.exceptions", exceptions)
    monkeypatch.setitem(sys.modules, "flashrank", SimpleNamespace(Ranker=ranker))
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
    settings = {"name": "a-model", "cache": "folder", "threads": 1}
    message = {"do": "open", "adapter": "flashrank_model", "settings": settings}
    plain = "needs to download its own model; no network here"
    with pytest.raises(CannotRunError, match=f"^{plain}$"):
        Worker().answer(message)
    assert answered(Worker(), message) == {"error": plain}
    assert answered(Worker(), {"do": "fly"}) == {"error": "ValueError: unknown request 'fly'"}


def test_threads_are_passed_on() -> None:
    code = "import os, json; input(); print(json.dumps({'n': os.environ['OMP_NUM_THREADS']}))"
    with WorkerProcess(script(code), threads=3) as worker:
        assert worker.ask(do="x") == {"n": "3"}


def test_a_missing_environment_says_what_to_do(tmp_path: Path) -> None:
    environments = Environments(tmp_path, {"torch": tmp_path / "python"})
    with pytest.raises(EnvironmentMissingError, match="edge_rerank_bench prepare openvino"):
        environments.python("openvino")
    with pytest.raises(EnvironmentMissingError, match="no such Python"):
        environments.python("torch")
    models = Models(tmp_path, tmp_path, environments, quiet)
    starter = ProcessStarter(models, environments, tmp_path)
    with pytest.raises(PeerError, match="not installed"):
        starter.start(engine("openvino-int8"), 1)


def test_environments_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[Path] = []

    def create(folder: Path, with_pip: bool) -> None:
        assert with_pip
        (folder / "bin").mkdir(parents=True)

    monkeypatch.setattr(module.venv, "create", create)
    monkeypatch.setattr(module, "_install", lambda python, file: installed.append(file))
    environments = Environments(tmp_path, {})
    for _ in range(2):
        assert environments.make("light", quiet).is_relative_to(tmp_path)
    assert [file.name for file in installed] == ["light.txt"]
    assert environments.python("light") == environments.make("light", quiet)


def test_every_requirement_is_pinned() -> None:
    assert {spec.environment for spec in CATALOGUE} == {OWN, *ENVIRONMENTS}
    for name in ENVIRONMENTS:
        lines = (module.REQUIREMENTS / f"{name}.txt").read_text("utf-8").splitlines()
        assert all("==" in line for line in lines if not line.startswith("#"))


def test_conversions_are_made_once_and_fail_in_one_line(tmp_path: Path) -> None:
    environments = Environments(tmp_path, {})
    models = Models(tmp_path / "none", tmp_path / "made", environments, quiet)
    assert models.path(CHECKPOINT) == tmp_path / "none"
    with pytest.raises(ConversionError, match=r"^artifact: .*none"):
        models.path(ARTIFACT_INT8)
    assert list((tmp_path / "made").iterdir()) == []
    (tmp_path / "made" / "artifact-int8").mkdir()
    (tmp_path / "made" / "artifact-int8" / "x").write_bytes(b"123")
    assert models.path(ARTIFACT_INT8) == tmp_path / "made" / "artifact-int8"
    assert models.size(ARTIFACT_INT8) == 3


def test_only_int8_is_calibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, bool] = {}

    def convert(python: Path, name: str, arguments: list[str]) -> str:
        kind, _, output, settings = arguments
        asked[Path(output).name.partition(".")[0]] = "pairs" in json.loads(settings)
        Path(output).mkdir()
        return kind

    monkeypatch.setattr(conversions, "run_module", convert)
    python = dict.fromkeys(ENVIRONMENTS, Path(sys.executable))
    pairs = (("query", "text"),)
    models = Models(
        tmp_path, tmp_path / "made", Environments(tmp_path, python), quiet, pairs, False
    )
    for model in (ARTIFACT_INT8, ARTIFACT_FP32, OPENVINO_FP32, OPENVINO_INT8):
        models.path(model)
    assert {name for name, calibrated in asked.items() if calibrated} == {
        "artifact-int8", "openvino-int8",
    }  # fmt: skip
    assert len(asked) == 4


def test_installed_size_counts_dependencies(tmp_path: Path) -> None:
    environments = Environments(tmp_path, {})
    alone = environments.installed_bytes(OWN, ["numpy"])
    assert environments.installed_bytes(OWN, ["onnxruntime"]) > alone > 1_000_000
    assert environments.installed_bytes(OWN, ["no-such-distribution"]) == 0


def test_batches() -> None:
    assert list(cut([3, 9, 5], "arrival", 2)) == [[0, 1], [2]]
    assert list(cut([3, 9, 5], "sorted", 2)) == [[1, 2], [0]]
    rows = [SimpleNamespace(ids=[7, 8], type_ids=[0, 1]), SimpleNamespace(ids=[9], type_ids=[1])]
    ids, mask, types = (array.tolist() for array in padded(rows, 5))
    assert (ids, mask, types) == ([[7, 8], [9, 5]], [[1, 1], [1, 0]], [[0, 1], [1, 0]])


def test_what_a_configuration_says_of_a_models_inputs(tmp_path: Path) -> None:
    assert pad_id(tmp_path) == 0
    for config, expected in ({"pad_token_id": 1}, 1), ({}, 0), ({"pad_token_id": None}, 0):
        (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
        assert pad_id(tmp_path) == expected
    for family, types, expected in (
        ("bert", 2, True), ("bert", 1, False), ("xlm-roberta", 1, False), ("deberta-v2", 0, False),
    ):  # fmt: skip
        assert has_types(SimpleNamespace(model_type=family, type_vocab_size=types)) is expected
    assert has_types(SimpleNamespace(model_type="modernbert")) is False


def test_the_worker_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="unknown request 'fly'"):
        Worker().answer({"do": "fly"})
    assert versions(("numpy", "no-such-distribution")).keys() == {"numpy"}
