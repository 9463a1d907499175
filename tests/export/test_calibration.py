"""Calibration: what it gains on activations with outliers, and which files it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_rerank.parity.agreement import agree
from tests.export.conftest import Make
from tests.export.test_graph import SEEN, collect, pairs, run_padded

OUTLIERS = [3, 40]
STRENGTH = 40.0
"""How far the planted features stand out; trained models of this family show 20 to 80."""


def plant_outliers(folder: Path) -> None:
    """Make a few values and inner features large, and the weights of what reads them small."""
    from safetensors.numpy import load_file, save_file

    pairs_of = {"value_proj": "attention.output.dense", "intermediate.dense": "output.dense"}
    weights = load_file(str(folder / "model.safetensors"))
    for name in list(weights):
        for writer, reader in pairs_of.items():
            if name.endswith(f"{writer}.weight"):
                layer = ".".join(name.split(".")[:4])
                weights[name][OUTLIERS] *= STRENGTH
                weights[name.replace(".weight", ".bias")][OUTLIERS] *= STRENGTH
                weights[f"{layer}.{reader}.weight"][:, OUTLIERS] /= STRENGTH
    save_file(weights, str(folder / "model.safetensors"))


@pytest.fixture(scope="module")
def planted(make_checkpoint: Make) -> Any:
    from edge_rerank_export.checkpoint import open_checkpoint
    from edge_rerank_export.parameters import collect_parameters
    from edge_rerank_export.reference import TorchReference
    from edge_rerank_export.weights import read_weights

    folder = make_checkpoint()
    plant_outliers(folder)
    checkpoint = open_checkpoint(folder)
    tensors = collect_parameters(read_weights(checkpoint.weight_files), checkpoint.layout, 96)
    return checkpoint, tensors, TorchReference(checkpoint)


def rms_in_sigma(planted: Any, *, alpha: float | None, rounded: bool) -> float:
    from edge_rerank_export.graph import build_model
    from edge_rerank_export.quantize import quantize_parameters
    from edge_rerank_export.smoothing import smooth

    checkpoint, tensors, reference = planted
    architecture, statistics = checkpoint.architecture, collect(checkpoint, reference)
    if alpha is not None:
        tensors = smooth(tensors, architecture, statistics, alpha)
    quantised = quantize_parameters(tensors, architecture, statistics if rounded else None)
    batch = pairs(checkpoint, tuple(range(5, 96)))
    logits = run_padded(build_model(quantised, architecture, 96), batch, 96)
    return agree(logits.tolist(), reference.logits(batch).tolist()).rms_in_sigma


def test_smoothing_takes_the_outliers_out(planted: Any) -> None:
    plain = rms_in_sigma(planted, alpha=None, rounded=False)
    smoothed = rms_in_sigma(planted, alpha=0.5, rounded=False)
    both = rms_in_sigma(planted, alpha=0.5, rounded=True)
    print(f"plain {plain:.4f}, smoothed {smoothed:.4f}, rounded too {both:.4f}")
    assert plain > 0.02, "outliers must hurt, or the test shows nothing"
    # 0.53 and 0.43 when limits were set, and 0.81 with rounding alone: what is planted here stands
    # out in every token, which is for smoothing, and mixing shares it among as few as four;
    # smoothing alone came below 0.5.
    assert smoothed < 0.7 * plain
    assert both < 0.6 * plain


def test_rounding_serves_every_product(planted: Any) -> None:
    """The whole path: statistics of a model, and its products on what they were taken from."""
    import torch

    from edge_rerank_export.parameters import linear_names
    from edge_rerank_export.quantize import dequantize_parameters, quantize_parameters

    checkpoint, tensors, reference = planted
    architecture, errors = checkpoint.architecture, dict[str, list[float]]()
    seen, batch = collect(checkpoint, reference), pairs(checkpoint, SEEN)
    ways = [quantize_parameters(tensors, architecture, one) for one in (None, seen)]
    rounded, inputs = [dequantize_parameters(way) for way in ways], dict[str, list[Any]]()
    for name in linear_names(architecture.layers):
        rows = inputs.setdefault(name, [])
        source = re.sub(r"\.(query|key)$", ".value", name)  # they read the table's rows as well
        reference.module(source).register_forward_pre_hook(
            lambda module, values, rows=rows: rows.append(values[0][0])
        )
    reference.logits(batch)
    for name, rows in inputs.items():
        last = name.startswith(f"layers.{architecture.layers - 1}.")
        first = last and not name.endswith((".key", ".value"))
        values = torch.cat([row[:1] if first else row for row in rows])
        exact = torch.from_numpy(tensors[f"{name}.weight"])
        errors[name] = [
            float((values @ (torch.from_numpy(way[f"{name}.weight"]) - exact)).square().mean())
            for way in rounded
        ]
    assert len(errors) == 6 * architecture.layers
    for name, (nearest, by_gram) in errors.items():
        assert by_gram < 0.9 * nearest, name


def correlated(rng: np.random.Generator, tokens: int, inputs: int) -> NDArray[np.float32]:
    """Return rows that a quarter as many directions explain nearly, as hidden states are."""
    few = rng.normal(size=(tokens, inputs // 4)) @ rng.normal(size=(inputs // 4, inputs))
    return (few + 0.3 * rng.normal(size=(tokens, inputs))).astype(np.float32)


@pytest.mark.parametrize("inputs", [32, 300])
def test_rounding_by_gram_halves_the_products_error(inputs: int) -> None:
    import torch

    from edge_rerank_export.rounding import round_by_gram

    rng = np.random.default_rng(3)
    rows = correlated(rng, 4500, inputs)
    seen, new = rows[:4000], rows[4000:]
    weight = rng.normal(size=(inputs, 24)).astype(np.float32)
    scale = np.abs(weight).max(0) / 127
    gram = torch.from_numpy(seen.T @ seen)
    kept = weight.copy()
    levels = round_by_gram(torch.from_numpy(weight), torch.from_numpy(scale), gram).numpy()
    np.testing.assert_array_equal(weight, kept)
    assert np.abs(levels.astype(int)).max() <= 127
    nearest = np.rint(weight / scale) * scale
    by_gram, plain = (
        np.square(new @ (matrix - weight)).mean() for matrix in (levels * scale, nearest)
    )
    assert by_gram < 0.5 * plain


def test_rounding_without_any_input_is_to_the_nearest() -> None:
    import torch

    from edge_rerank_export.rounding import round_by_gram

    weight = torch.linspace(-1, 1, 40).reshape(8, 5)
    levels = round_by_gram(weight, torch.full((5,), 1 / 127), torch.zeros(8, 8))
    np.testing.assert_array_equal(levels.numpy(), np.rint(weight.numpy() * 127))


def test_a_gram_matrix_of_rounding_errors_alone_is_no_error() -> None:
    import torch

    from edge_rerank_export.rounding import round_by_gram

    noise = torch.randn(8, 8, generator=torch.Generator().manual_seed(1)) * 1e-5
    noise = noise + noise.T  # negative eigenvalues, as rows that are alike leave less their mean
    weight, scale = torch.rand(8, 5) - 0.5, torch.full((5,), 1 / 254)
    levels = round_by_gram(weight.clone(), scale, noise)
    assert ((levels * scale - weight).abs() <= 4 * scale).all()


def test_the_shipped_pairs() -> None:
    from edge_rerank_export.calibration import SHIPPED, load_calibration
    from edge_rerank_export.probes import probe_pairs

    calibration = load_calibration(None)
    assert len(calibration.pairs) > 250
    assert calibration.source == "built-in"
    assert SHIPPED.stat().st_size < 40_000
    assert calibration == load_calibration(None)
    lengths = sorted(len(document.split()) for _, document in calibration.pairs)
    assert lengths[0] < 5
    assert lengths[-1] > 250
    probed = {query for query, _ in probe_pairs()}
    assert not probed & {query for query, _ in calibration.pairs}, "probes must stay unseen"


GOOD = json.dumps({"query": "how do plants eat", "document": "plants eat light"}) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD + "plants\n", r"mine.jsonl:2: not valid JSON.*expected lines such as"),
        (GOOD * 2 + '["a", "b"]\n', r"mine.jsonl:3: expected a JSON object"),
        ('{"query": "a", "text": "b"}\n', r"jsonl:1: no field 'document', only query, text"),
        ('{"query": "a", "document": 3}\n', r"jsonl:1: 'document' is 3; expected a string"),
        (GOOD + '{"query": " ", "document": "b"}\n', r"jsonl:2: 'query' is empty; remove"),
        (GOOD * 3, r"mine.jsonl: has 3 pairs; expected at least 16"),
        ("", r"has 0 pairs"),
        (b"\xff\xfe" + GOOD.encode(), r"jsonl: UTF-16 text; convert it first"),
        (None, r"mine.jsonl: cannot be read"),
    ],
)
def test_a_bad_file_is_refused_before_anything_else(
    content: str | bytes | None, message: str, tmp_path: Path
) -> None:
    from edge_rerank_export import CalibrationError, ExportOptions, export_model

    path = tmp_path / "mine.jsonl"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    options = ExportOptions(calibration=path)
    with pytest.raises(CalibrationError, match=message):
        export_model(str(tmp_path / "no such checkpoint"), tmp_path / "out", options)


def test_a_file_of_the_users_own_is_recorded(make_checkpoint: Make, tmp_path: Path) -> None:
    from hashlib import sha256

    from edge_rerank_export import ExportError, ExportOptions, export_model

    path = tmp_path / "mine.jsonl"
    path.write_text(GOOD * 20)
    folder, lines = make_checkpoint(), list[str]()
    # Twenty times the same pair is a poor calibration, and this test is not about that.
    options = ExportOptions(calibration=path, allow_poor_parity=True)
    export = export_model(str(folder), tmp_path / "one", options, report=lines.append)
    recipe = export.manifest.quantization
    assert recipe is not None
    digest = sha256(path.read_bytes()).hexdigest()
    assert recipe["calibration"] == {"source": "mine.jsonl", "pairs": 20, "sha256": digest}
    again = export_model(str(folder), tmp_path / "two", options, report=lines.append)
    for name in ("model.onnx", "model.safetensors"):
        assert export.manifest.files[name] == again.manifest.files[name]
    options = ExportOptions(calibration=path, precision="fp32")
    with pytest.raises(ExportError, match="calibration file is for int8"):
        export_model(str(folder), tmp_path / "three", options)
