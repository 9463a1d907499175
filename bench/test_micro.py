"""The micro-benchmarks under pytest-benchmark: python -m pytest bench/test_micro.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edge_rerank_bench.micro import Operation, operations, references

OPERATIONS = ("rank[1]", "rank[10]", "rank[50]", "tokenize[50]", "plan[200]", "load_artifact")
REFERENCES = ("products", "digest", "interpreter")


@pytest.fixture(scope="module")
def known() -> Iterator[dict[str, Operation]]:
    """Return the operations."""
    with operations() as found:
        yield found


@pytest.mark.parametrize("name", REFERENCES)
def test_reference(benchmark: Any, name: str) -> None:
    """What the operations are compared with."""
    benchmark(references()[name])


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(benchmark: Any, known: dict[str, Operation], name: str) -> None:
    """A part of the runtime."""
    assert benchmark(known[name].run)


def test_all_are_here(known: dict[str, Operation]) -> None:
    """A new one must not be forgotten above."""
    assert tuple(known) == OPERATIONS
    assert tuple(references()) == REFERENCES
