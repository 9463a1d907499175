"""Batch planning: complete, within budget, independent of the company, and little padding."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_rerank.engines.onnx.batching import (
    TOKEN_BUDGET,
    padded_length,
    padding_overhead,
    plan_batches,
)

LENGTHS = st.lists(st.integers(1, 512), max_size=150)


@given(st.integers(1, 2048), st.integers(1, 2048))
def test_padded_lengths_are_few_and_enough(length: int, most: int) -> None:
    length = min(length, most)
    padded = padded_length(length, most)
    assert length <= padded <= most
    assert padded == most or padded % 8 == 0
    assert padded - length < (8 if length <= 128 else 16 if length <= 256 else 32)


def test_the_set_of_lengths_is_small() -> None:
    assert len({padded_length(length, 512) for length in range(1, 513)}) == 32


@given(LENGTHS, st.sampled_from([64, 512, 2048, 4096]), st.integers(1, 9))
@settings(max_examples=300)
def test_plans_are_complete_and_within_budget(
    lengths: list[int], budget: int, workers: int
) -> None:
    batches = plan_batches(lengths, max_length=512, workers=workers, token_budget=budget)
    found = sorted(index for batch in batches for index in batch.indices)
    assert found == list(range(len(lengths)))
    for batch in batches:
        assert list(batch.indices) == sorted(batch.indices)
        assert batch.tokens <= budget or len(batch.indices) == 1
    sizes = [batch.tokens for batch in batches]
    assert sizes == sorted(sizes, reverse=True)


@given(LENGTHS, st.integers(1, 9))
def test_a_pair_is_padded_the_same_in_any_company(lengths: list[int], workers: int) -> None:
    for batch in plan_batches(lengths, max_length=512, workers=workers):
        assert {padded_length(lengths[index], 512) for index in batch.indices} == {batch.length}


@pytest.mark.parametrize("workers", [1, 2, 4, 16])
def test_equal_pairs_are_shared_out_among_the_workers(workers: int) -> None:
    batches = plan_batches([100] * 16, max_length=512, workers=workers)
    assert len(batches) >= min(workers, 16)
    shares = [0] * workers
    for batch in batches:  # as workers take them, the least busy first
        shares[shares.index(min(shares))] += batch.tokens
    assert max(shares) <= 1.5 * sum(shares) / workers


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("low", "high"), [(20, 350), (66, 358), (200, 512)])
def test_padding_is_below_ten_per_cent(low: int, high: int, seed: int) -> None:
    rng = random.Random(seed)
    lengths = [rng.randint(low, high) for _ in range(100)]
    batches = plan_batches(lengths, max_length=512)
    assert 0 <= padding_overhead(lengths, batches) < 0.10
    # Arrival order, 32 a batch, is what this is for.
    naive = sum(32 * max(lengths[start : start + 32]) for start in range(0, 96, 32))
    assert naive / sum(lengths[:96]) - 1 > 0.3


def test_short_texts_fill_whole_batches() -> None:
    batches = plan_batches([20] * 512, max_length=512)
    assert all(batch.tokens > TOKEN_BUDGET - 24 for batch in batches[:-1])


def test_nothing_to_plan() -> None:
    assert plan_batches([], max_length=512) == []
    assert padding_overhead([], []) == 0.0
