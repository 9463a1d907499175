"""The table of words at 4 bits: smaller by half, close to 8 bits, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker, verify
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.cli import main
from edge_rerank.native_library import load_library
from edge_rerank.parity.agreement import agree
from tests.export.conftest import _ROBERTA, Make
from tests.support.batches import batch_of, random_rows

PAIRS = [("how do plants eat", text) for text in ("plants eat light", "steel bridge", "water")]
WORDS = ("frequent", "weight", "group", "levels", "scale")


def table(rows: int, width: int, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    spread = rng.lognormal(0, 0.3, (1, width)) * rng.lognormal(0, 0.5, (rows, 1))
    values = (rng.standard_normal((rows, width)) * spread * 0.05).astype(np.float32)
    values[3] = values[-3] = 0  # the padding's row, often
    values[-4, :32] = 0
    values[-5, 7] = 3.0  # an outlier
    values[-6] = values[6] = 1e-38
    return values


def test_the_error_is_that_of_16_levels() -> None:
    from edge_rerank_export.four_bits import dequantize_words, quantize_words

    values = table(5000, 96)
    parts = quantize_words(values)
    shapes = {name: (part.dtype.name, part.shape) for name, part in parts.items()}
    assert shapes == {
        "frequent": ("int8", (312, 96)),
        "weight": ("uint8", (4688, 48)),
        "group": ("int8", (4688, 3)),
        "scale": ("float32", (5000, 1)),
        "levels": ("int8", (16,)),
    }
    assert parts["levels"].tolist() == sorted(set(parts["levels"].tolist()))
    found = dequantize_words(parts)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    squares = ((found - values) ** 2).sum(1)
    error = np.sqrt(squares[312:].sum() / np.sum(values[312:] ** 2))
    assert np.sqrt(squares[:312].sum() / np.sum(values[:312] ** 2)) < 0.01
    # A uniform grid in groups of 32 would be off by 0.104 on normal values.
    assert error < 0.09
    np.testing.assert_array_equal(found[[3, -3]], 0)
    np.testing.assert_array_equal(found[-4, :32], 0)
    assert abs(found[-5, 7] - 3) < 0.2


def test_a_width_that_is_not_whole_groups_is_refused() -> None:
    from edge_rerank_export import ExportError
    from edge_rerank_export.four_bits import quantize_words

    with pytest.raises(ExportError, match="multiple of 32; this model's is 48: export with 8"):
        quantize_words(table(10, 48))


def test_options_that_are_refused_before_any_work(tmp_path: Path) -> None:
    from edge_rerank_export import ExportError, ExportOptions, export_model

    for options, message in (
        (ExportOptions(embedding_bits=4, precision="fp32"), "embedding_bits 4 is for int8"),
        (ExportOptions(embedding_bits=2), "embedding_bits is 2; expected 8 or 4"),
    ):
        with pytest.raises(ExportError, match=message):
            export_model("no-such-folder", tmp_path / "m", options)


def export(folder: Path, output: Path, bits: int) -> Path:
    from edge_rerank_export import ExportOptions, export_model

    options = ExportOptions(embedding_bits=bits, allow_poor_parity=True)
    export_model(str(folder), output, options, report=lambda line: None)
    return output


def logits(artifact: Path, batch: Any, **options: Any) -> Any:
    with Reranker.load(artifact, self_check=False, **options) as reranker:
        return reranker._parts()[1].logits(batch)


FAMILIES = {
    "deberta-v2": {"num_attention_heads": 2},
    "xlm-roberta": _ROBERTA | {"model_type": "xlm-roberta"},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_artifact_of_4_bits(
    family: str, make_checkpoint: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.numpy import load_file

    folder = make_checkpoint(FAMILIES[family])
    eight, four = (export(folder, tmp_path / str(bits), bits) for bits in (8, 4))
    manifests = [load_artifact(path).manifest for path in (eight, four)]
    assert [manifest.embedding_bits for manifest in manifests] == [8, 4]
    cost = manifests[1].parity["words_of_4_bits_against_8"]
    assert 0 < cost["rms_error"] < 0.6 * cost["sigma"]
    assert 0 < cost["kendall_tau"] <= 1
    assert "words_of_4_bits_against_8" not in manifests[0].parity
    weights = [load_file(path / "model.safetensors") for path in (eight, four)]
    same = {name for name in weights[0] if not name.startswith("embeddings.word.")}
    assert {f"embeddings.word.{name}" for name in WORDS} | same == set(weights[1])
    for name in same:
        np.testing.assert_array_equal(weights[0][name], weights[1][name], name)
    vocabulary = manifests[1].architecture.vocab_size
    batch = batch_of(random_rows([1, 2, 5, 30, 31, 64, 95], 3, vocabulary))
    expected = logits(eight, batch, engine="onnxruntime")
    native = logits(four, batch, engine="native")
    onnx = logits(four, batch, engine="onnxruntime")
    assert agree(native.tolist(), onnx.tolist()).rms_in_sigma < 0.15
    assert agree(onnx.tolist(), expected.tolist()).rms_in_sigma < 0.7
    for kernel in load_library().kernels:
        found = logits(four, batch, engine="native", kernel=kernel, threads=1, map_weights=True)
        np.testing.assert_array_equal(found, native, kernel)
    mapped = logits(four, batch, engine="onnxruntime", map_weights=True)
    np.testing.assert_array_equal(mapped, onnx)
    # Random weights are far from fp32; all but the distance must hold.
    distance = {"rms_error", "max_error", "kendall_tau", "top_k_overlap"}
    assert {check.name for check in verify(four).failures} <= distance
    assert main(["info", str(four), "--skip-self-check"]) == 0
    printed = capsys.readouterr().out
    assert "int8, words of 4 bits" in printed
    assert "words of 4 bits against 8" in printed


def test_a_table_of_another_size_is_found(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank.verification.tensors import weights_conflicts

    four = export(make_checkpoint(), tmp_path / "four", 4)
    assert weights_conflicts(load_artifact(four)) == []
    path = four / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["embedding_bits"], manifest["sha256"]
    path.write_text(json.dumps(manifest))
    (conflict,) = weights_conflicts(load_artifact(four))
    assert "embeddings.word.weight is U8 of 150 x 32, by the manifest I8 of 160 x 64" in conflict


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, None),
        ({"embedding_bits": None}, None),
        ({"precision": "int8"}, 8),
        ({"precision": "int8", "embedding_bits": 4}, 4),
        ({"precision": "int8", "embedding_bits": 32}, "'embedding_bits' is 32; expected 8 or 4"),
        ({"precision": "int8", "embedding_bits": 3}, "'embedding_bits' is 3; expected 8 or 4"),
        ({"precision": "int8", "embedding_bits": "4"}, "'embedding_bits' is '4'; expected 8 or 4"),
        ({"embedding_bits": 4}, "'embedding_bits' is 4; expected null"),
    ],
)
def test_manifests(
    members: dict[str, Any], expected: int | str | None, artifact_path: Path
) -> None:
    from edge_rerank.artifact import Manifest
    from edge_rerank.errors import ManifestError

    written = json.loads((artifact_path / "manifest.json").read_text())
    written.pop("embedding_bits", None)
    if not isinstance(expected, str):
        assert Manifest.from_json(written | members).embedding_bits == expected
    else:
        with pytest.raises(ManifestError, match=expected):
            Manifest.from_json(written | members)
