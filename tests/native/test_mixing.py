"""Mixed inputs of ffn.down: what they do to scores, and which artifacts are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank.errors import ArtifactError
from edge_rerank.native_library import Library
from native.fuzz.seeds import TINY, weights_parts, write_artifact
from tests.native.calls import opened, random_pairs, score

SHAPE = TINY["mixed-int8"]


def write(folder: Path, tensors: dict[str, Any]) -> Path:
    write_artifact(folder, SHAPE)
    header, data = weights_parts(tensors)
    content = len(header).to_bytes(8, "little") + header + data
    (folder / "model.safetensors").write_bytes(content)
    return folder


def test_inputs_and_weights_that_are_both_mixed_give_what_neither_gives(
    library: Library, tmp_path: Path
) -> None:
    """Weights of eight groups alike, less what the transform makes of them: its first row."""
    rng = np.random.default_rng(8)
    plain = replace(SHAPE, mix=0).tensors()
    both = dict(plain)
    for layer in range(SHAPE.layers):
        name = f"layers.{layer}.ffn.down"
        few = rng.integers(-15, 16, (16, SHAPE.hidden_size)).astype(np.int8)
        # 1, 1, 1 ... is eight times the transform's first row: only the sum of all is read.
        plain[f"{name}.weight"] = np.tile(few, (8, 1))
        both[f"{name}.weight"] = np.concatenate([few, np.zeros((112, few.shape[1]), np.int8)])
        both[f"{name}.mix"] = np.array([8], np.int32)
    pairs = random_pairs(40, SHAPE.vocab_size, SHAPE.max_length)
    found = []
    for name, tensors in (("plain", plain), ("both", both)):
        with opened(library, write(tmp_path / name, tensors)) as engine:
            found.append(score(library, engine, pairs).view(np.float32))
    spread = found[0].std()
    assert spread > 0
    assert np.abs(found[0] - found[1]).max() < 0.1 * spread


@pytest.mark.parametrize("points", [-2, 0, 3, 16, 64, 1 << 20])
def test_what_cannot_be_mixed_is_refused(points: int, library: Library, tmp_path: Path) -> None:
    tensors = SHAPE.tensors()
    tensors["layers.1.ffn.down.mix"] = np.array([points], np.int32)
    folder = write(tmp_path / "model", tensors)
    message = rf"'layers.1.ffn.down.mix' holds {points}; expected a power of two up to 32"
    with pytest.raises(ArtifactError, match=message), opened(library, folder):
        pass
