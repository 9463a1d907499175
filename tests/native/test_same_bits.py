"""A pair's logit is the same to the last bit, however it is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.native_library import Library
from native.fuzz.seeds import TINY, XSMALL, write_artifact
from tests.native.calls import Pair, opened, random_pairs, score
from tests.support.models import DEBERTA

COUNT = 320
SHORT = 24  # tokens of the pairs that the scalar kernel gets, which is slow
# What a kernel meets beside its own arithmetic: other threads, pieces and blocks. The first is
# the reference; with 300 tokens in flight, the artifact's longest pair fills a piece.
SETTINGS: tuple[dict[str, int], ...] = (
    {"threads": 2},
    {"threads": 1, "tokens_in_flight": 300},
    {"threads": 3, "tokens_in_flight": 1000},
    {"threads": 5, "tokens_in_flight": 5000},
)

Bits = NDArray[np.uint32]


@pytest.fixture(scope="module")
def xsmall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("xsmall") / "model", XSMALL)


def shuffled(library: Library, engine: Any, pairs: Sequence[Pair]) -> Bits:
    """Score pairs in another order, in calls of other sizes."""
    order = np.random.default_rng(len(pairs)).permutation(len(pairs))
    bits = np.zeros(len(pairs), np.uint32)
    for some in np.split(order, [1, 2, 9, len(pairs) // 2]):
        bits[some] = score(library, engine, [pairs[i] for i in some])
    return bits


def check_everywhere(library: Library, folder: Path, pairs: list[Pair], scalar: int) -> None:
    """Check that all kernels and settings agree; the scalar one on its number of short pairs."""
    short = [i for i, pair in enumerate(pairs) if len(pair) <= SHORT][:scalar]
    with opened(library, folder, **SETTINGS[0]) as engine:
        expected = score(library, engine, pairs)
    # Where texts are read apart, all pairs without a first text have one logit: those of one token.
    of_both = [len(pair) > 1 for pair in pairs]
    assert len(np.unique(expected[of_both])) > 0.9 * sum(of_both)
    for number, kernel in enumerate(library.kernels):
        some = short if kernel == "scalar" else list(range(len(pairs)))
        setting = SETTINGS[1 + number % 3]
        with opened(library, folder, kernel=kernel, **setting) as engine:
            found = shuffled(library, engine, [pairs[i] for i in some])
        np.testing.assert_array_equal(found, expected[some], f"{kernel} with {setting}")


@pytest.mark.parametrize("folder", [builtin_model(), DEBERTA], ids=["built-in", "mini-deberta"])
def test_trained_models(library: Library, folder: Path) -> None:
    vocabulary = load_artifact(folder, verify=False).manifest.architecture.vocab_size
    check_everywhere(library, folder, random_pairs(COUNT, vocabulary, 512), scalar=40)


def test_the_shape_of_xsmall(library: Library, xsmall: Path) -> None:
    pairs = random_pairs(COUNT, XSMALL.vocab_size, 160)
    pairs[5:7] = random_pairs(2, XSMALL.vocab_size, 512, shortest=500)
    check_everywhere(library, xsmall, pairs, scalar=40)


@pytest.mark.parametrize("name", TINY)
def test_every_kind_of_layer(name: str, library: Library, tmp_path: Path) -> None:
    shape = TINY[name]
    folder = write_artifact(tmp_path / "model", shape)
    pairs = random_pairs(60, shape.vocab_size, shape.max_length)
    with opened(library, folder, kernel="scalar", threads=1) as engine:
        expected = score(library, engine, pairs)
    for kernel in library.kernels:
        for threads, in_flight in ((1, 16), (3, 100)):
            members = {"kernel": kernel, "threads": threads, "tokens_in_flight": in_flight}
            with opened(library, folder, **members) as engine:
                found = shuffled(library, engine, pairs)
            np.testing.assert_array_equal(found, expected, str(members))


@pytest.mark.parametrize("max_length", [40, 41, 64, 100, 511])
def test_a_smaller_max_length(max_length: int, library: Library) -> None:
    # It cuts the relative tables, so that every distance lies in another column.
    vocabulary = load_artifact(DEBERTA, verify=False).manifest.architecture.vocab_size
    pairs = random_pairs(40, vocabulary, 40)
    with opened(library, DEBERTA, threads=1) as engine:
        expected = score(library, engine, pairs)
    for kernel in library.kernels[:-1]:
        with opened(library, DEBERTA, kernel=kernel, max_length=max_length) as engine:
            np.testing.assert_array_equal(score(library, engine, pairs), expected, kernel)
