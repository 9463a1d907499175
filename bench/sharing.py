"""What callers of one engine cost one another, by the clock of each.

Run: python -m edge_rerank_bench.sharing [--model DIR] [--threads N] [--pairs 10000]

A call of 10 passages is timed on an idle engine, and again while another thread's call of many
pairs is under way. Then callers with one passage each ask at the same time, in turns with the same
calls one after the other. Scores are compared throughout: company changes no bit of them.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from edge_rerank import Reranker
from edge_rerank.benchmark import percentile

from .serving import passages

FEW, WORDS = 10, 60
IDLE, ROUNDS = 300, 100
CALLERS = (2, 4, 8)
_PAUSE = 0.02  # at most, between two calls: they do not fall into step with the pieces

Pairs = list[tuple[str, str]]


def pairs_of(count: int, seed: int) -> Pairs:
    """Return a query with so many passages of 60 words."""
    query, *texts = passages(1, seed, 8) + passages(count, seed, WORDS)
    return [(query, text) for text in texts]


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


class Sharing:
    """An engine and those who call it."""

    def __init__(self, reranker: Reranker, pairs: int) -> None:
        self._reranker = reranker
        self._large, self._small = pairs_of(pairs, 1), pairs_of(FEW, 2)
        self._expected = reranker.predict(self._small)

    def measure(self) -> Iterator[str]:
        """Yield lines for a person to read, as they are measured."""
        idle = [self._call() for _ in range(IDLE)]
        yield f"{FEW} passages, idle: {_figures(idle)}"
        beside, alone, slowed = self._beside_a_large_call()
        yield f"the same beside a call of {len(self._large):,} pairs: {_figures(beside)}"
        yield f"that call: {alone:.1f} s alone, {slowed:.1f} s beside {len(beside)} small ones"
        for callers in CALLERS:
            together, in_turn = self._at_once(callers)
            ratio = statistics.median(b / a for a, b in zip(together, in_turn, strict=True))
            yield (
                f"{callers} callers with a passage each: {_ms(statistics.median(together))} at "
                f"once, one after the other {ratio:.2f} times that"
            )

    def _call(self) -> float:
        found: list[Any] = []
        seconds = timed(lambda: found.append(self._reranker.predict(self._small)))
        _same(found[0], self._expected)
        return seconds

    def _beside_a_large_call(self) -> tuple[list[float], float, float]:
        random, beside = Random(0), list[float]()
        alone = timed(lambda: self._reranker.predict(self._large))
        with ThreadPoolExecutor(1) as pool:
            start = time.perf_counter()
            large: Future[Any] = pool.submit(self._reranker.predict, self._large)
            while not large.done():
                time.sleep(random.random() * _PAUSE)
                beside.append(self._call())
            large.result()
            slowed = time.perf_counter() - start
        # The last one may have been alone at its end.
        return beside[:-1] or beside, alone, slowed

    def _at_once(self, callers: int) -> tuple[list[float], list[float]]:
        work = [pairs_of(1, seed) for seed in range(callers)]
        wanted = [self._reranker.predict(pairs) for pairs in work]
        together, in_turn = list[float](), list[float]()
        start, end = (threading.Barrier(callers + 1, timeout=60) for _ in range(2))

        def caller(number: int) -> list[Any]:
            found = []
            for _ in range(ROUNDS):
                start.wait()
                found.append(self._reranker.predict(work[number]))
                end.wait()
            return found

        with ThreadPoolExecutor(callers) as pool:
            running = [pool.submit(caller, number) for number in range(callers)]
            for _ in range(ROUNDS):
                in_turn.append(timed(lambda: [self._reranker.predict(pairs) for pairs in work]))
                start.wait()
                together.append(timed(end.wait))
            for one, expected in zip(running, wanted, strict=True):
                for scores in one.result():
                    _same(scores, expected)
        return together, in_turn


def _same(found: Any, expected: Any) -> None:
    if not np.array_equal(found, expected):
        raise SystemExit("edge_rerank_bench.sharing: a score has changed with its company")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _figures(seconds: list[float]) -> str:
    return (
        f"p50 {_ms(percentile(seconds, 0.5))}, p99 {_ms(percentile(seconds, 0.99))}, "
        f"longest {_ms(max(seconds))} of {len(seconds)}"
    )


def main() -> None:
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", type=Path, help="default: the built-in one")
    parser.add_argument("--threads", type=int, help="of the engine; default: as ever")
    parser.add_argument("--pairs", type=int, default=10_000, help="of the large call")
    options = parser.parse_args()
    with Reranker.load(options.model, threads=options.threads, engine="native") as reranker:
        for line in Sharing(reranker, options.pairs).measure():
            print(line, flush=True)


if __name__ == "__main__":
    main()
