"""Mixed inputs of products: what they do to scores, and which artifacts are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank.errors import ArtifactError
from edge_rerank.native_library import Library
from native.fuzz.seeds import TINY, Shape, weights_parts, write_artifact
from tests.native.calls import opened, random_pairs, score

SHAPE = TINY["mixed-all-int8"]


def write(folder: Path, tensors: dict[str, Any], shape: Shape = SHAPE) -> Path:
    write_artifact(folder, shape)
    header, data = weights_parts(tensors)
    content = len(header).to_bytes(8, "little") + header + data
    (folder / "model.safetensors").write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("read", "products"),
    [
        ("attention", ("attention.query", "attention.key", "attention.value")),
        ("ffn.up", ("ffn.up",)),
        ("ffn.down", ("ffn.down",)),
    ],
)
def test_inputs_and_weights_that_are_both_mixed_give_what_neither_gives(
    read: str, products: tuple[str, ...], library: Library, tmp_path: Path
) -> None:
    """Weights of four groups alike, less what the transform makes of them: its first row."""
    rng = np.random.default_rng(8)
    plain = replace(SHAPE, mix=0).tensors()
    both = dict(plain)
    for layer in range(SHAPE.layers):
        for product in products:
            name = f"layers.{layer}.{product}.weight"
            outputs, blocks = plain[name].shape[1], plain[name].shape[0] // 64
            few = rng.integers(-31, 32, (blocks, 1, 16, outputs)).astype(np.int8)
            # 1, 1, 1, 1 is the transform's first row: only the sum of all is read.
            rest = np.zeros((blocks, 3, 16, outputs), np.int8)
            plain[name] = np.tile(few, (1, 4, 1, 1)).reshape(-1, outputs)
            both[name] = np.concatenate([few, rest], 1).reshape(-1, outputs)
        both[f"layers.{layer}.{read}.mix"] = np.array([4], np.int32)
    pairs = random_pairs(40, SHAPE.vocab_size, SHAPE.max_length)
    found = []
    for name, tensors in (("plain", plain), ("both", both)):
        with opened(library, write(tmp_path / name, tensors)) as engine:
            found.append(score(library, engine, pairs).view(np.float32))
    spread = found[0].std()
    assert spread > 0
    assert (found[0] - found[1]).std() < 0.1 * spread


@pytest.mark.parametrize("read", ["attention", "ffn.up", "ffn.down"])
@pytest.mark.parametrize("points", [-2, 0, 3, 16, 64, 1 << 20])
def test_what_cannot_be_mixed_is_refused(
    points: int, read: str, library: Library, tmp_path: Path
) -> None:
    tensors = SHAPE.tensors()
    tensors[f"layers.1.{read}.mix"] = np.array([points], np.int32)
    folder = write(tmp_path / "model", tensors)
    message = rf"'layers.1.{read}.mix' holds {points}; expected a power of two up to 32"
    with pytest.raises(ArtifactError, match=message), opened(library, folder):
        pass


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_tensor_of_a_later_version_is_refused(
    precision: str, library: Library, tmp_path: Path
) -> None:
    """Scores without what it is there for would be others, and nobody would notice."""
    shape = replace(SHAPE, precision=precision, smooth=False, mix=0)
    tensors = shape.tensors() | {"layers.0.attention.output.mix": np.array([4], np.int32)}
    folder = write(tmp_path / "model", tensors, shape)
    message = r"does not know the tensor 'layers\.0\.attention\.output\.mix'; if a later one"
    with pytest.raises(ArtifactError, match=message), opened(library, folder):
        pass
