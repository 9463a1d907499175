"""Micro-benchmarks of the runtime's parts: python -m pytest bench/test_micro.py.

They run on the built-in model, with one thread; ``regression.py`` compares their ratios to the
reference operation with those of the saved baseline.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.artifact import load_artifact
from edge_rerank.batching import plan_batches
from edge_rerank.builtin import builtin_model
from edge_rerank.tokenization import PairTokenizer

QUERY = "how is a passage ranked"
PASSAGE = (
    "A reranker reads a query and a candidate passage together and says how relevant the passage "
    "is. Search systems call one for the first ten to two hundred candidates of each query. "
)


@pytest.fixture(scope="module")
def reranker() -> Iterator[Reranker]:
    """Give the built-in model on one thread."""
    with Reranker.load(threads=1) as loaded:
        yield loaded


def reference(benchmark: Any) -> None:
    """A loop of numpy's own, about a millisecond: one thread, and none of our code."""
    values = np.random.default_rng(0).standard_normal(200_000)
    assert benchmark(np.tanh, values).shape == values.shape


def test_reference_first(benchmark: Any) -> None:
    """At the beginning."""
    reference(benchmark)


@pytest.mark.parametrize("documents", [1, 10, 50])
def test_rank(benchmark: Any, reranker: Reranker, documents: int) -> None:
    """One query with passages of about 100 words."""
    texts = [PASSAGE * 3 + str(index) for index in range(documents)]
    assert len(benchmark(reranker.rank, QUERY, texts)) == documents


def test_tokenize(benchmark: Any) -> None:
    """Fifty passages of about 100 words to ids."""
    tokenizer = PairTokenizer(builtin_model() / "tokenizer.json", max_length=512)
    pairs = [(QUERY, PASSAGE * 3 + str(index)) for index in range(50)]
    assert len(benchmark(tokenizer.encode, pairs)) == 50


def test_plan(benchmark: Any) -> None:
    """Two hundred lengths to batches."""
    lengths = [20 + 7 * index % 330 for index in range(200)]
    assert benchmark(plan_batches, lengths, max_length=512, workers=2)


def test_load_artifact(benchmark: Any) -> None:
    """The manifest and all checksums."""
    assert benchmark(load_artifact, builtin_model()).manifest.files


def test_reference_last(benchmark: Any) -> None:
    """At the end: a machine's speed changes."""
    reference(benchmark)
