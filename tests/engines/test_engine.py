"""The ONNX Runtime engine behind the seam: its contract, its memory, and its settings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import ClosedError, EngineError, InputError
from edge_rerank.artifact.folder import Artifact, load_artifact, write_manifest
from edge_rerank.engines.choose import create_engine
from edge_rerank.engines.onnx.session import open_session, session_settings
from edge_rerank.engines.protocol import Engine
from edge_rerank.machine.cpu import Cpu
from tests.conftest import MAX_LENGTH, VOCABULARY, expected_logit, tiny_graph, tiny_manifest
from tests.support.batches import Row, batch_of, random_rows

Make = Callable[..., Path]


def start(folder: Path) -> Engine:
    return create_engine(
        load_artifact(folder), name="onnxruntime", threads=1, max_length=MAX_LENGTH
    )


@pytest.fixture(scope="module")
def engine(artifact_path: Path) -> Iterator[Engine]:
    running = start(artifact_path)
    yield running
    running.close()


def pair(*ids: int, first: int = 1) -> Row:
    return Row(ids, first)


def random_pairs(count: int, seed: int) -> list[Row]:
    lengths = np.random.default_rng(seed).integers(1, MAX_LENGTH + 1, count)
    return random_rows(lengths.tolist(), seed, VOCABULARY)


def test_logits_in_input_order_whatever_the_shapes_before(engine: Engine) -> None:
    # Large, small, large: what an earlier batch left in the buffers must not show.
    for count, seed in ((300, 1), (1, 2), (7, 3), (150, 4), (2, 5)):
        pairs = random_pairs(count, seed)
        logits = engine.logits(batch_of(pairs))
        assert logits.dtype == np.float32
        assert logits.shape == (count,)
        np.testing.assert_allclose(logits, [expected_logit(p.ids) for p in pairs], atol=5e-5)


def test_what_it_gave_is_not_written_over(engine: Engine) -> None:
    first = engine.logits(batch_of(random_pairs(5, 1)))
    kept = first.copy()
    engine.logits(batch_of(random_pairs(50, 2)))
    np.testing.assert_array_equal(first, kept)


def test_nothing_in_nothing_out(engine: Engine) -> None:
    assert engine.logits(batch_of([])).shape == (0,)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (pair(), f"pair 1 has 0 tokens; expected 1 to {MAX_LENGTH}"),
        (pair(*[1] * (MAX_LENGTH + 1)), f"pair 1 has {MAX_LENGTH + 1} tokens"),
        (pair(1, VOCABULARY), f"pair 1 has the token id {VOCABULARY}; .* 0 to {VOCABULARY - 1}"),
        (pair(1, -1), "pair 1 has the token id -1"),
    ],
)
def test_bad_ids_are_refused_before_anything_runs(engine: Engine, bad: Row, message: str) -> None:
    with pytest.raises(InputError, match=message):
        engine.logits(batch_of([pair(1, 2), bad]))
    assert engine.logits(batch_of([pair(1, 2)])).shape == (1,)


def test_token_types_reach_the_model(make_artifact: Make) -> None:
    running = start(make_artifact(types=True))
    pairs = [pair(1, 5, 2, 6, 7, 2, first=3), pair(1, 2, 2, first=3)]
    logits = running.logits(batch_of(pairs))
    running.close()
    expected = [expected_logit(pairs[0].ids) + 100 * 3 / 6, expected_logit(pairs[1].ids)]
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_logits_without_a_second_dimension(make_artifact: Make) -> None:
    folder, model = make_artifact(), tiny_graph()
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "keepdims":
                attribute.i = 0
    model.graph.output[0].type.tensor_type.shape.dim.pop()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_manifest(folder, tiny_manifest())
    running, pairs = start(folder), random_pairs(9, 6)
    logits = running.logits(batch_of(pairs))
    running.close()
    np.testing.assert_allclose(logits, [expected_logit(p.ids) for p in pairs], atol=5e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_not_finite_is_an_error(make_artifact: Make, value: float) -> None:
    folder, model = make_artifact(), tiny_graph()
    weights = next(item for item in model.graph.initializer if item.name == "weights")
    table = np.frombuffer(weights.raw_data, np.float32).copy()
    table[9] = value
    weights.raw_data = table.tobytes()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_manifest(folder, tiny_manifest())
    running = start(folder)
    assert np.isfinite(running.logits(batch_of([pair(1, 8, 2)]))).all()
    with pytest.raises(EngineError, match="not finite"):
        running.logits(batch_of([pair(1, 8, 2), pair(1, 9, 2)]))
    running.close()


def test_what_onnx_runtime_raises_is_an_engine_error(make_artifact: Make) -> None:
    folder, model = make_artifact(), tiny_graph()
    weights = next(item for item in model.graph.initializer if item.name == "weights")
    weights.raw_data, weights.dims[0] = weights.raw_data[:40], 10  # ids from 10 are out of range
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_manifest(folder, tiny_manifest())
    running = start(folder)
    with pytest.raises(EngineError, match="ONNX Runtime failed on 1 x "):
        running.logits(batch_of([pair(1, 99, 2)]))
    running.close()


def test_closed_is_closed(artifact_path: Path) -> None:
    running = start(artifact_path)
    running.close()
    running.close()
    with pytest.raises(ClosedError):
        running.logits(batch_of([pair(1, 2)]))


def artifact_of(precision: str) -> Artifact:
    return Artifact(Path(), replace(tiny_manifest(), precision=precision))


@pytest.mark.parametrize(
    ("machine", "features", "precision", "careful"),
    [
        ("x86_64", ("avx2", "avx512f", "avx512_vnni"), "int8", False),
        ("amd64", ("avx2", "avx_vnni"), "int8", False),
        ("x86_64", ("avx2", "avx512f"), "int8", True),
        ("amd64", None, "int8", True),
        ("x86_64", ("avx2",), "fp32", False),
        ("aarch64", None, "int8", False),
        ("arm64", ("asimddp",), "int8", False),
    ],
)
def test_careful_products_where_they_are_needed(
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    features: tuple[str, ...] | None,
    precision: str,
    careful: bool,
) -> None:
    cpu = Cpu(machine, "", features)
    monkeypatch.setattr("edge_rerank.engines.onnx.session.read_cpu", lambda: cpu)
    settings = session_settings(artifact_of(precision))
    assert (settings.get("session.x64quantprecision") == "1") is careful


def saturating_graph() -> Any:
    """Make a graph that adds 64 products of 255 by 127 for each token, in 8 bits."""
    onnx = pytest.importorskip("onnx")
    helper, tensor = onnx.helper, onnx.TensorProto
    constants = {
        "table": np.full((VOCABULARY, 64), 255, np.uint8),
        "weights": np.full((64, 8), 127, np.int8),
        "last": np.array([1, 2], np.int64),
        "scale": np.array(1 / 8, np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("MatMulInteger", ["rows", "weights"], ["products"]),
        helper.make_node("Cast", ["products"], ["wide"], to=tensor.FLOAT),
        helper.make_node("Mul", ["wide", "scale"], ["scaled"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=tensor.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "unsqueezed"], ["column"]),
        helper.make_node("Mul", ["scaled", "column"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "last"], ["sum"], keepdims=0),
        helper.make_node("Unsqueeze", ["sum", "one"], ["logits"]),
    ]
    constants |= {"unsqueezed": np.array([2], np.int64), "one": np.array([1], np.int64)}
    shape, names = ["batch", "sequence"], ("input_ids", "attention_mask")
    graph = helper.make_graph(
        nodes,
        "saturating",
        [helper.make_tensor_value_info(name, tensor.INT64, shape) for name in names],
        [helper.make_tensor_value_info("logits", tensor.FLOAT, ["batch", 1])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("known", [True, False])
def test_eight_bit_products_do_not_saturate_on_any_processor(
    make_artifact: Make, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    # On x86 without VNNI this fails unless the setting is there, and works.
    if not known:
        monkeypatch.setattr(
            "edge_rerank.engines.onnx.session.read_cpu", lambda: Cpu("x86_64", "", None)
        )
    folder = make_artifact()
    (folder / "model.onnx").write_bytes(saturating_graph().SerializeToString())
    write_manifest(folder, replace(tiny_manifest(), precision="int8"))
    running = start(folder)
    logits = running.logits(batch_of([pair(1, 2), pair(1, 2, 3)]))
    running.close()
    assert logits.tolist() == [2 * 64 * 255 * 127, 3 * 64 * 255 * 127]


@pytest.mark.parametrize("saturates", [True, False])
def test_careful_products_are_not_optimised_away(
    make_artifact: Make, monkeypatch: pytest.MonkeyPatch, saturates: bool
) -> None:
    cpu = Cpu("x86_64", "", () if saturates else ("avx_vnni",))
    monkeypatch.setattr("edge_rerank.engines.onnx.session.read_cpu", lambda: cpu)
    folder = make_artifact()
    write_manifest(folder, replace(tiny_manifest(), precision="int8"))
    options = open_session(load_artifact(folder), "a test").session.get_session_options()
    # ONNX Runtime ignores the setting below this level.
    assert (options.graph_optimization_level.name == "ORT_ENABLE_EXTENDED") is saturates


_MEMORY = """
import gc, pathlib, random, sys
from edge_rerank import Reranker

def resident():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

Reranker.load(sys.argv[1]).close()  # the libraries themselves stay
before = resident()
reranker, rng = Reranker.load(sys.argv[1]), random.Random(1)
loaded, marks = resident(), []
for call in range(1300):
    documents = ["water " * rng.randint(0, 90) for _ in range(rng.choice([1, 2, 5, 40]))]
    reranker.rank("how do plants eat", documents)
    if call in (300, 1299):
        marks.append(resident())
reranker.close()
del reranker
gc.collect()
print(loaded - before, marks[1] - marks[0], resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat_and_freed(make_artifact: Make) -> None:
    folder, model = make_artifact(), tiny_graph()
    weights = next(item for item in model.graph.initializer if item.name == "weights")
    weights.raw_data, weights.dims[0] = weights.raw_data + bytes(64 << 20), 160 + (16 << 20)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_manifest(folder, tiny_manifest())
    result = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(folder)], capture_output=True, text=True, check=True
    )
    loaded, growth, left = map(float, result.stdout.split())
    assert loaded > 60
    assert growth < 4
    assert left < 16


_LIGHT = """
import sys
import edge_rerank, edge_rerank.cli
heavy = ["numpy", "onnxruntime", "tokenizers", "torch", "transformers", "onnx", "socket", "ssl"]
print([name for name in heavy if name in sys.modules])
"""


def test_importing_loads_nothing_heavy() -> None:
    result = subprocess.run(
        [sys.executable, "-c", _LIGHT], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("[]\n", "")


_QUIET = """
import logging, sys, warnings
warnings.simplefilter("error")
from edge_rerank import Reranker
with Reranker.load(sys.argv[1], engine="onnxruntime") as reranker:
    reranker.rank("how do plants eat", ["water"] * 40)
heavy = ["torch", "transformers", "onnx", "huggingface_hub", "urllib.request", "http.client"]
print([name for name in heavy if name in sys.modules], logging.root.handlers)
"""


def test_ranking_is_quiet_and_loads_only_what_it_needs(artifact_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _QUIET, str(artifact_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (result.stdout, result.stderr) == ("[] []\n", "")
