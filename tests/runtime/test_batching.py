"""Batch planning: complete, within budget, stable, cheapest, and little padding."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_rerank.batching import (
    BATCH_COST,
    MAX_ROWS,
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


@given(LENGTHS, st.sampled_from([64, 512, 2048, 4096]))
@settings(max_examples=300)
def test_plans_are_complete_sorted_and_within_budget(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, max_length=512, token_budget=budget)
    order = [index for batch in batches for index in batch.indices]
    assert order == sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    for batch in batches:
        assert 1 <= len(batch.indices) <= MAX_ROWS
        assert batch.tokens <= budget or len(batch.indices) == 1
        assert batch.length == padded_length(max(lengths[index] for index in batch.indices), 512)


def cheapest(padded: list[int], budget: int) -> int:
    """Try every way to cut a descending list, for comparison."""
    if not padded:
        return 0
    return min(
        BATCH_COST + rows * padded[0] + cheapest(padded[rows:], budget)
        for rows in range(1, len(padded) + 1)
        if rows == 1 or rows * padded[0] <= budget
    )


@given(st.lists(st.integers(1, 300), max_size=9), st.sampled_from([100, 600, 2048]))
@settings(max_examples=100)
def test_plans_are_the_cheapest(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, max_length=512, token_budget=budget)
    padded = sorted((padded_length(length, 512) for length in lengths), reverse=True)
    assert sum(batch.tokens + BATCH_COST for batch in batches) == cheapest(padded, budget)


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


def test_one_chunk_of_short_texts_fills_whole_batches() -> None:
    batches = plan_batches([20] * 512, max_length=512)
    assert {len(batch.indices) for batch in batches} == {MAX_ROWS}
    assert all(first.tokens <= TOKEN_BUDGET for first, _ in pairwise(batches))


def test_nothing_to_plan() -> None:
    assert plan_batches([], max_length=512) == []
    assert padding_overhead([], []) == 0.0
