"""Small operations of the runtime, each beside a reference operation that none of our code is in.

``test_micro.py`` times them under pytest-benchmark, for a person to read; ``regression.py`` watches
their ratios. All run on the built-in model with one thread.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from edge_rerank import Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.engines.onnx.batching import plan_batches
from edge_rerank.tokenizing.choose import PairTokenizer

QUERY = "how is a passage ranked"
PASSAGE = (
    "A reranker reads a query and a candidate passage together and says how relevant the passage "
    "is. Search systems call one for the first ten to two hundred candidates of each query. "
)
TURNS = 15
BURST = 0.005
"""Seconds: shorter than what other programs do to caches and clock rates lasts."""
Call = Callable[[], object]
Clock = Callable[[], float]
Ratios = dict[str, float]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something to time, and the name of the reference that is most like it."""

    run: Call
    reference: str


def references() -> dict[str, Call]:
    """Return the references: a fraction of a millisecond each, on one thread.

    einsum, unlike matmul, never hands its products to a library with threads of its own.
    """
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((rows, 384)).astype(np.float32) for rows in (64, 256))
    block = bytes(1 << 18)
    words = [f"{place * 7919 % 4001:04d}" for place in range(400)]

    def interpreter() -> object:
        groups: dict[int, list[tuple[int, str]]] = {}
        for word in words:
            groups.setdefault(int(word) % 17, []).append((len(word), word))
        return sorted(sorted(group) for group in groups.values())

    return {
        "products": lambda: np.einsum("ik,jk->ij", left, right),
        "digest": lambda: hashlib.sha256(block).digest(),
        "interpreter": interpreter,
    }


@contextmanager
def operations() -> Iterator[dict[str, Operation]]:
    """Return the operations by name, while the model is loaded."""
    lengths = [20 + 7 * index % 330 for index in range(200)]
    tokenizer = PairTokenizer(builtin_model() / "tokenizer.json", max_length=512)
    texts = [PASSAGE * 3 + str(index) for index in range(50)]  # of about 100 words
    pairs = [(QUERY, text) for text in texts]

    def rank(reranker: Reranker, documents: int) -> Operation:
        return Operation(lambda: reranker.rank(QUERY, texts[:documents]), "products")

    with Reranker.load(threads=1) as reranker:
        yield {
            **{f"rank[{count}]": rank(reranker, count) for count in (1, 10, 50)},
            "tokenize[50]": Operation(lambda: tokenizer.encode(pairs), "products"),
            "plan[200]": Operation(
                lambda: plan_batches(lengths, max_length=512, workers=2), "interpreter"
            ),
            "load_artifact": Operation(lambda: load_artifact(builtin_model()), "digest"),
        }


def measure(
    wanted: Mapping[str, Operation],
    beside: Mapping[str, Call],
    *,
    turns: int = TURNS,
    clock: Clock = time.process_time,
) -> Ratios:
    """Return each operation's time over its reference's: the median over turns.

    In a turn an operation runs for a moment between two moments of its reference. What counts is
    processor time: a program that takes the processor away does not lengthen it, as it does the
    time on the wall. What merely waits is not seen by this.
    """
    found: dict[str, list[float]] = {name: [] for name in wanted}
    for _ in range(turns):
        for name, operation in wanted.items():
            reference = beside[operation.reference]
            before = least(reference, clock)
            took = least(operation.run, clock)
            found[name].append(2 * took / (before + least(reference, clock)))
    return {name: statistics.median(ratios) for name, ratios in found.items()}


def least(call: Call, clock: Clock) -> float:
    """Return the least time of a call, of as many as fit into a burst."""
    end = clock() + BURST
    times: list[float] = []
    while not times or clock() < end:
        start = clock()
        call()
        times.append(clock() - start)
    return min(times)
