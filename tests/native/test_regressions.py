"""Inputs of the fuzzer that once showed a fault, replayed through the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_rerank.errors import EdgeRerankError
from edge_rerank.native_library import Library
from native.fuzz.inputs import FuzzInput
from native.fuzz.seeds import TINY, fuzz_input
from tests.native.calls import Pair, opened, score

FOLDER = Path(__file__).with_name("regressions")
INPUTS = sorted(FOLDER.iterdir())


def outcome(library: Library, folder: Path, kernel: str) -> str:
    """Open and score what can be; give the scores' bits, or the error without the folder."""
    pairs: list[Pair] = [np.zeros(length, np.int32) for length in (1, 5, 2)]
    try:
        with opened(library, folder, kernel=kernel, threads=2) as engine:
            return str(score(library, engine, pairs))
    except EdgeRerankError as error:
        return str(error)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_every_kernel_says_the_same(path: Path, library: Library, tmp_path: Path) -> None:
    FuzzInput.from_bytes(path.read_bytes()).write(tmp_path)
    said = {outcome(library, tmp_path, kernel) for kernel in library.kernels}
    assert len(said) == 1
    line = said.pop()
    assert line.isprintable()


def test_the_collection_is_small() -> None:
    assert len(INPUTS) >= 5
    assert sum(path.stat().st_size for path in INPUTS) < 200_000


@pytest.mark.parametrize("name", TINY)
def test_the_fuzzer_starts_from_sound_artifacts(
    name: str, library: Library, tmp_path: Path
) -> None:
    made = fuzz_input(TINY[name], flags=0)
    assert FuzzInput.from_bytes(made.to_bytes()) == made
    made.write(tmp_path)
    assert outcome(library, tmp_path, "scalar").startswith("[")
