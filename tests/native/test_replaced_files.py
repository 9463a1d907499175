"""A model's files written over while the native library has them open."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_rerank import ArtifactError, Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.native_library import Library
from native.fuzz.seeds import TINY, write_artifact
from tests.native.calls import opened, random_pairs, score
from tests.support.replacing import check_unnoticed, cut, zeros

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be written to")


def another(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 100)


SPOIL = [zeros, cut, another, Path.unlink]


@pytest.mark.parametrize("spoil", SPOIL)
@pytest.mark.parametrize("kind", ["plain-int8", "plain-fp32", "positions-fp32", "types-int8"])
def test_copied_weights_are_the_engine_s_own(
    kind: str, spoil: Callable[[Path], None], library: Library, tmp_path: Path
) -> None:
    shape = TINY[kind]
    folder = write_artifact(tmp_path / "model", shape)
    pairs = random_pairs(20, shape.vocab_size, shape.max_length)
    with opened(library, folder) as engine:
        expected = score(library, engine, pairs)
    with opened(library, folder) as engine:
        info = library.describe(engine)
        assert (info.mapped_bytes, info.weights_bytes > 0) == (0, True)
        spoil(folder / "model.safetensors")
        spoil(folder / "manifest.json")
        np.testing.assert_array_equal(score(library, engine, pairs), expected)


def test_mapped_weights_give_the_same_bits_and_memory_back(
    library: Library, tmp_path: Path
) -> None:
    shape = TINY["plain-int8"]
    folder = write_artifact(tmp_path / "model", shape)
    pairs = random_pairs(20, shape.vocab_size, shape.max_length)
    with opened(library, folder) as copied, opened(library, folder, map_weights=1) as mapped:
        expected = score(library, copied, pairs)
        np.testing.assert_array_equal(score(library, mapped, pairs), expected)
        one, other = library.describe(copied), library.describe(mapped)
        assert other.mapped_bytes == (folder / "model.safetensors").stat().st_size
        assert other.weights_bytes < one.weights_bytes


@pytest.mark.parametrize("spoil", [zeros, cut, another])
def test_a_mapped_file_that_was_written_to_is_an_error(
    spoil: Callable[[Path], None], library: Library, tmp_path: Path
) -> None:
    shape = TINY["plain-int8"]
    folder = write_artifact(tmp_path / "model", shape)
    pairs = random_pairs(20, shape.vocab_size, shape.max_length)
    with opened(library, folder, map_weights=1) as engine:
        score(library, engine, pairs)
        spoil(folder / "model.safetensors")
        with pytest.raises(ArtifactError, match=r"model\.safetensors: was written to while"):
            score(library, engine, pairs)


def test_a_mapped_file_may_be_replaced_by_renaming(library: Library, tmp_path: Path) -> None:
    shape = TINY["plain-int8"]
    folder = write_artifact(tmp_path / "model", shape)
    pairs = random_pairs(20, shape.vocab_size, shape.max_length)
    with opened(library, folder, map_weights=1) as engine:
        expected = score(library, engine, pairs)
        (tmp_path / "new").write_bytes(b"something else")
        os.replace(tmp_path / "new", folder / "model.safetensors")
        np.testing.assert_array_equal(score(library, engine, pairs), expected)
        (folder / "model.safetensors").unlink()
        np.testing.assert_array_equal(score(library, engine, pairs), expected)


def test_any_other_value_is_refused(library: Library, tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "model", TINY["plain-int8"])
    for value in (2, -1):
        with (
            pytest.raises(Exception, match=rf"options\.map_weights is {value}; expected 0 to 1"),
            opened(library, folder, map_weights=value),
        ):
            pass


def test_options_of_the_first_release_are_read(library: Library, tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "model", TINY["plain-int8"])
    # What lies behind the size that is told is another program's memory.
    with opened(library, folder, size=24, map_weights=1) as engine:
        assert library.describe(engine).mapped_bytes == 0


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("spoil", SPOIL)
def test_a_loaded_reranker_does_not_notice(
    library: Library, tmp_path: Path, name: str, spoil: Callable[[Path], None]
) -> None:
    check_unnoticed("native", name, spoil, tmp_path)


def test_map_weights_of_a_reranker(library: Library, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(builtin_model(), tmp_path / "model"))
    with (
        Reranker.load(folder, threads=1) as copied,
        Reranker.load(folder, threads=1, map_weights=True) as mapped,
    ):
        assert copied.predict([("a", "b")]) == mapped.predict([("a", "b")])
        memory = [model.describe().memory for model in (copied, mapped)]
        assert memory[0] is not None
        assert memory[1] is not None
        assert (memory[0].mapped_bytes, memory[1].mapped_bytes > 0) == (0, True)
        zeros(folder / "model.safetensors")
        with pytest.raises(ArtifactError, match="was written to while the model is open"):
            mapped.predict([("a", "b")])
