"""The graph computes what torch does, for every shape in the family; int8 stays close."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_rerank.engines.onnx.runtime import import_onnxruntime
from edge_rerank.pairs import TokenizedBatch
from edge_rerank.parity.agreement import agree
from tests.export.conftest import VARIANTS, Make
from tests.support.batches import Row, batch_of, rows_of

LENGTHS = (3, 9, 17, 40, 96)


@pytest.fixture(scope="module", params=list(VARIANTS))
def checkpoint(request: pytest.FixtureRequest, make_checkpoint: Make) -> Any:
    from edge_rerank_export.checkpoint import open_checkpoint

    return open_checkpoint(make_checkpoint(VARIANTS[request.param]))


@pytest.fixture(scope="module")
def tensors(checkpoint: Any) -> Any:
    from edge_rerank_export.parameters import collect_parameters
    from edge_rerank_export.weights import read_weights

    return collect_parameters(read_weights(checkpoint.weight_files), checkpoint.layout, 96)


@pytest.fixture(scope="module")
def reference(checkpoint: Any) -> Any:
    from edge_rerank_export.reference import TorchReference

    return TorchReference(checkpoint)


def pairs(checkpoint: Any, lengths: tuple[int, ...] = LENGTHS) -> TokenizedBatch:
    rng = np.random.default_rng(1)
    size = checkpoint.architecture.vocab_size
    return batch_of(
        Row(tuple(rng.integers(4, size, length).tolist()), length // 3 + 1) for length in lengths
    )


SEEN = tuple(range(6, 97, 2))


def collect(checkpoint: Any, reference: Any) -> Any:
    from edge_rerank_export.statistics import collect_statistics

    return collect_statistics(reference, checkpoint.architecture, pairs(checkpoint, SEEN))


def run_padded(model: Any, batch: TokenizedBatch, width: int) -> NDArray[np.float32]:
    onnxruntime = import_onnxruntime("a test")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ids = np.zeros((len(batch), width), np.int64)
    mask, types = np.zeros_like(ids), np.zeros_like(ids)
    for place, row in enumerate(rows_of(batch)):
        ids[place, : len(row.ids)] = row.ids
        mask[place, : len(row.ids)] = 1
        types[place, row.first : len(row.ids)] = 1
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    names = [item.name for item in session.get_inputs()]
    logits = session.run(["logits"], {name: feed[name] for name in names})[0]
    return np.asarray(logits[:, 0])


def test_the_float_graph_equals_torch(checkpoint: Any, tensors: Any, reference: Any) -> None:
    from edge_rerank_export.graph import build_model

    model = build_model(tensors, checkpoint.architecture, 96)
    batch = pairs(checkpoint)
    expected = reference.logits(batch)
    assert expected.std() > 0.05, "the logits must differ for the comparison to mean anything"
    for width in (96,):
        np.testing.assert_allclose(run_padded(model, batch, width), expected, atol=2e-5)
    for row, logit in zip(rows_of(batch), expected, strict=True):
        alone = run_padded(model, batch_of([row]), len(row.ids))
        np.testing.assert_allclose(alone, logit, atol=2e-5)


def test_statistics_are_those_of_every_real_token(checkpoint: Any, reference: Any) -> None:
    """Against what each nn.Linear gets when the pairs run one by one: no padding, no table rows."""
    import torch

    from edge_rerank_export.parameters import linear_names
    from edge_rerank_export.statistics import input_name

    architecture, batch, rows = (
        checkpoint.architecture,
        pairs(checkpoint, SEEN),
        dict[str, list[Any]](),
    )
    names, hooks = linear_names(architecture.layers), []
    for name in names:
        seen = rows.setdefault(name, [])
        module = reference.module(name)
        # The first call in a run is the one with tokens; a later one has the table's rows.
        hooks.append(
            module.register_forward_pre_hook(
                lambda module, inputs, seen=seen: seen.append(inputs[0][0])
            )
        )
    calls: dict[str, int] = {}
    for place in range(len(batch)):
        reference.logits(batch.part(place, place + 1))
        for name in names:
            del rows[name][place + 1 :]
            calls[name] = calls.get(name, 0) + 1
    for hook in hooks:
        hook.remove()
    found, last = collect(checkpoint, reference), f"layers.{architecture.layers - 1}."
    assert set(found) == {input_name(name, architecture) for name in names}
    for name in names:
        first = architecture.head.pooling == "first" and name.startswith(last)
        first = first and not name.endswith((".key", ".value"))
        expected = torch.cat([values[:1] if first else values for values in rows[name]])
        statistics = found[input_name(name, architecture)]
        assert statistics.count == len(expected)
        check_statistics(statistics, expected)
        # And of the same rows less one vector, times another; products share what they read.
        statistics = replace(statistics)
        vector = expected.mean(0) + 0.5
        statistics.subtract(vector.double().numpy())
        factor = torch.linspace(0.5, 2, len(vector))
        statistics.multiply(factor.numpy())
        check_statistics(statistics, (expected - vector) * factor)


def check_statistics(statistics: Any, rows: Any) -> None:
    import torch

    close = partial(torch.testing.assert_close, atol=1e-4, rtol=1e-4)
    close(statistics.low, rows.amin(0))
    close(statistics.high, rows.amax(0))
    close(statistics.peak, rows.abs().amax(0))
    close(statistics.total / len(rows), rows.mean(0))
    gram = rows.T @ rows
    close(statistics.gram, gram, atol=float(2e-4 * gram.diagonal().mean()), rtol=1e-3)


def test_smoothing_changes_nothing_in_float(checkpoint: Any, tensors: Any, reference: Any) -> None:
    from edge_rerank_export.graph import build_model
    from edge_rerank_export.mixing import points_of
    from edge_rerank_export.smoothing import smooth

    architecture, batch = checkpoint.architecture, pairs(checkpoint)
    smoothed = smooth(tensors, architecture, collect(checkpoint, reference), 0.5)
    vectors = [name for name in smoothed if name.endswith(".smooth")]
    points = {name: int(value[0]) for name, value in smoothed.items() if name.endswith(".mix")}
    assert len(points) == 3 * architecture.layers
    for name, number in points.items():
        inputs = architecture.intermediate_size if "down" in name else architecture.hidden_size
        assert number == points_of(inputs) > 1
    # Behind a norm, and into a gate, the factors go into other weights.
    before = architecture.norm == "before"
    assert len(vectors) == (1 if before else 3 * architecture.layers)
    found = run_padded(build_model(smoothed, architecture, 96), batch, 96)
    np.testing.assert_allclose(found, reference.logits(batch), atol=1e-4)


def test_centring_changes_nothing_in_float(checkpoint: Any, tensors: Any, reference: Any) -> None:
    from edge_rerank_export.centring import centre
    from edge_rerank_export.graph import build_model
    from edge_rerank_export.statistics import input_name

    architecture, batch = checkpoint.architecture, pairs(checkpoint)
    kept = {name: tensor.copy() for name, tensor in tensors.items()}
    statistics = collect(checkpoint, reference)
    centred = centre(tensors, architecture, statistics)
    assert all(np.array_equal(tensor, kept[name]) for name, tensor in tensors.items())
    for layer in range(architecture.layers):
        for part in ("attention.key", "attention.output", "ffn.up"):
            seen = statistics[input_name(f"layers.{layer}.{part}", architecture)]
            assert float(seen.total.abs().max()) < 1e-2 * seen.count, (layer, part)
    found = run_padded(build_model(centred, architecture, 96), batch, 96)
    np.testing.assert_allclose(found, reference.logits(batch), atol=1e-4)


def test_the_int8_graph_stays_close(checkpoint: Any, tensors: Any, reference: Any) -> None:
    from edge_rerank_export.graph import build_model
    from edge_rerank_export.quantize import quantize_parameters
    from edge_rerank_export.smoothing import smooth

    architecture, statistics = checkpoint.architecture, collect(checkpoint, reference)
    smoothed = smooth(tensors, architecture, statistics, 0.5)
    model = build_model(quantize_parameters(smoothed, architecture, statistics), architecture, 96)
    batch = pairs(checkpoint, tuple(range(5, 96, 3)))
    parity = agree(run_padded(model, batch, 96).tolist(), reference.logits(batch).tolist())
    assert 0 < parity.rms_in_sigma < 0.15
    assert parity.kendall_tau > 0.85


def test_int8_rows_do_not_depend_on_their_neighbours(checkpoint: Any, tensors: Any) -> None:
    from edge_rerank_export.graph import build_model
    from edge_rerank_export.quantize import quantize_parameters

    model = build_model(
        quantize_parameters(tensors, checkpoint.architecture), checkpoint.architecture, 96
    )
    batch = pairs(checkpoint, (20, 24, 31, 32))
    alone = [run_padded(model, batch.take([place]), 32)[0] for place in range(4)]
    assert run_padded(model, batch, 32).tolist() == alone
    assert run_padded(model, batch.take([3, 2, 1, 0]), 32).tolist() == alone[::-1]


def test_large_weights_lie_in_the_safetensors_file(
    checkpoint: Any, tensors: Any, reference: Any, tmp_path: Path
) -> None:
    import onnx
    from safetensors.numpy import load_file

    from edge_rerank_export.int8 import quantize, write_graph

    quantised = quantize(tensors, checkpoint.architecture, collect(checkpoint, reference))
    write_graph(tmp_path, quantised, checkpoint.architecture, 96)
    graph = onnx.load(str(tmp_path / "model.onnx"), load_external_data=False).graph
    stored = load_file(str(tmp_path / "model.safetensors"))
    outside = {tensor.name for tensor in graph.initializer if tensor.external_data}
    assert outside <= set(stored)
    inside = [tensor for tensor in graph.initializer if tensor.name != "local.band"]
    assert sum(len(tensor.raw_data) for tensor in inside) < 20_000
    loaded = onnx.load(str(tmp_path / "model.onnx")).graph
    for item in loaded.initializer:
        if item.name in stored:
            values = onnx.numpy_helper.to_array(item)
            np.testing.assert_array_equal(values, stored[item.name])
