"""Tables of words at 4 bits, beside tables of 8 bits that stand for the same numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank.errors import ArtifactError
from edge_rerank.native_library import Library
from native.fuzz.seeds import TINY, Shape, weights_parts, write_artifact
from tests.native.calls import opened, random_pairs, score

SHAPE = TINY["four-bits-int8"]
NAME = "embeddings.word"


def write(folder: Path, shape: Shape, tensors: dict[str, Any]) -> Path:
    write_artifact(folder, shape)
    header, data = weights_parts(tensors)
    content = len(header).to_bytes(8, "little") + header + data
    (folder / "model.safetensors").write_bytes(content)
    return folder


def exact() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors of two models whose words are the same numbers in float32.

    All scales are powers of two, so that no product of them is rounded.
    """
    rng = np.random.default_rng(5)
    four = SHAPE.tensors()
    others, groups = four[f"{NAME}.group"].shape
    words = len(four[f"{NAME}.scale"])
    assert 0 < words - others < words
    four[f"{NAME}.levels"] = np.array([*range(-15, 15, 2), 15], np.int8)
    four[f"{NAME}.group"] = rng.choice([-8, -4, -2, -1, 1, 2, 4, 8], (others, groups)).astype(
        np.int8
    )
    four[f"{NAME}.scale"] = np.full((words, 1), 2**-6, np.float32)
    packed = four[f"{NAME}.weight"]
    codes = np.stack([packed & 15, packed >> 4], axis=-1).reshape(others, groups, -1)
    values = four[f"{NAME}.levels"][codes] * four[f"{NAME}.group"][..., None]
    eight = {name: part for name, part in four.items() if not name.startswith(NAME)}
    rest = values.reshape(others, -1).astype(np.int8)
    eight[f"{NAME}.weight"] = np.concatenate([four[f"{NAME}.frequent"], rest])
    eight[f"{NAME}.scale"] = four[f"{NAME}.scale"]
    return four, eight


def test_4_bits_give_the_bits_of_the_same_numbers(library: Library, tmp_path: Path) -> None:
    four, eight = exact()
    folders = [
        write(tmp_path / "four", SHAPE, four),
        write(tmp_path / "eight", replace(SHAPE, embedding_bits=8), eight),
    ]
    pairs = random_pairs(40, SHAPE.vocab_size, SHAPE.max_length)
    found = []
    for folder in folders:
        with opened(library, folder) as engine:
            found.append(score(library, engine, pairs))
    np.testing.assert_array_equal(found[0], found[1])
    assert len(np.unique(found[0])) > 20


def test_the_table_is_mapped_and_not_copied(library: Library, tmp_path: Path) -> None:
    shape = replace(SHAPE, vocab_size=50_000)
    four = write_artifact(tmp_path / "four", shape)
    eight = write_artifact(tmp_path / "eight", replace(shape, embedding_bits=8))
    sizes = {}
    for folder in (four, eight):
        for map_weights in (0, 1):
            with opened(library, folder, map_weights=map_weights) as engine:
                info = library.describe(engine)
                sizes[folder.name, map_weights] = info.weights_bytes
                assert bool(info.mapped_bytes) == bool(map_weights)
    table = 50_000 * 64
    frequent = 50_000 // 16
    four_bits, scales = frequent * 64 + (50_000 - frequent) * (32 + 2), 50_000 * 4
    assert abs(sizes["four", 0] - sizes["four", 1] - four_bits - scales) < 6000
    assert abs(sizes["eight", 0] - sizes["eight", 1] - table - scales) < 6000


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("group", None, "lacks the tensor 'embeddings.word.group'"),
        ("levels", None, "lacks the tensor 'embeddings.word.levels'"),
        ("levels", lambda part: part[:15], "'embeddings.word.levels' has the shape .15."),
        ("weight", lambda part: part.astype(np.int8), "'embeddings.word.weight' has the shape"),
        ("scale", lambda part: part * np.inf, "'embeddings.word.scale' has a value that is inf"),
    ],
)
def test_tables_that_are_refused(
    name: str, change: Any, message: str, library: Library, tmp_path: Path
) -> None:
    tensors = SHAPE.tensors()
    part = tensors.pop(f"{NAME}.{name}")
    if change is not None:
        tensors[f"{NAME}.{name}"] = change(part)
    with (
        pytest.raises(ArtifactError, match=message),
        opened(library, write(tmp_path / "model", SHAPE, tensors)),
    ):
        pass


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"embedding_bits": 5}, "embedding_bits is missing or wrong; expected 8 or 4"),
        ({"embedding_bits": 32}, "embedding_bits is missing or wrong; expected 8 or 4"),
        ({"precision": "fp32"}, "embedding_bits is missing or wrong; expected null"),
    ],
)
def test_manifests_that_are_refused(
    members: dict[str, Any], message: str, library: Library, tmp_path: Path
) -> None:
    folder = write_artifact(tmp_path / "model", SHAPE)
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | members))
    with pytest.raises(ArtifactError, match=message), opened(library, folder):
        pass
