"""Buckets, quantised weights and the weights file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank.artifact.architecture import Architecture


def architecture(**changes: Any) -> Architecture:
    from edge_rerank_export.families import read_layout
    from tests.export.conftest import TINY

    config = {"model_type": "deberta-v2", "num_labels": 1} | TINY | changes
    return read_layout(config, "config.json").architecture


@pytest.mark.parametrize("length", [2, 64, 512, 700])
@pytest.mark.parametrize(
    ("buckets", "limit"), [(256, -1), (256, 512), (16, 100), (24, 40), (-1, -1), (-1, 30), (2, 9)]
)
def test_buckets_are_those_of_transformers(length: int, buckets: int, limit: int) -> None:
    import torch
    from transformers.models.deberta_v2.modeling_deberta_v2 import build_relative_position

    from edge_rerank_export.relative import relative_buckets, relative_span

    relative = architecture(
        position_buckets=buckets, max_relative_positions=limit, max_position_embeddings=512
    ).positions.relative
    assert relative is not None
    rows = relative_buckets(relative, length)
    assert rows.shape == (2 * length,)
    layer = torch.zeros(1, length, 4)
    position = build_relative_position(layer, layer, buckets, relative.furthest)[0]
    span = relative_span(relative)
    expected = (position + span).clamp(0, 2 * span - 1).numpy()
    query, key = np.indices((length, length))
    np.testing.assert_array_equal(rows[length - 1 - (query - key)], expected)


def test_int8_weights_are_within_half_a_step() -> None:
    from edge_rerank_export.quantize import _by_column, _by_row

    rng = np.random.default_rng(0)
    weight = rng.normal(size=(48, 24)).astype(np.float32) * np.logspace(-6, 3, 24, dtype=np.float32)
    weight[:, 5] = 0
    values, scale = _by_column(weight)
    assert scale.shape == (24,)
    assert np.abs(values).max() == 127
    assert (np.abs(values * scale - weight) <= 0.5001 * scale).all()
    assert not values[:, 5].any()
    rows, steps = _by_row(weight.T.copy(), groups=3)
    assert steps.shape == (24, 3)
    back = rows.reshape(24, 3, 16) * steps[:, :, None]
    assert (np.abs(back - weight.T.reshape(24, 3, 16)) <= 0.5001 * steps[:, :, None]).all()


def test_the_weights_file_is_safetensors_and_aligned(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    from edge_rerank_export.weights_file import write_weights

    rng = np.random.default_rng(0)
    tensors: dict[str, Any] = {
        "odd": rng.normal(size=(3, 5)).astype(np.float32),
        "b": rng.integers(-127, 127, (64, 32)).astype(np.int8),
        "a": rng.normal(size=(16, 16)).astype(np.float32),
        "turned": rng.normal(size=(32, 16)).astype(np.float32).T,
        "index": np.arange(32, dtype=np.int32),
    }
    path = tmp_path / "model.safetensors"
    extents = write_weights(path, tensors)
    stored = load_file(str(path))
    assert set(stored) == set(tensors)
    data = path.read_bytes()
    for name, values in tensors.items():
        np.testing.assert_array_equal(stored[name], values)
        extent = extents[name]
        assert data[extent.offset : extent.offset + extent.length] == values.tobytes()
        assert extent.offset % 64 == 0 or name == "odd"
    size = int.from_bytes(data[:8], "little")
    assert "odd" in json.loads(data[8 : 8 + size])
