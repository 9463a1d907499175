"""How fast a model is on this machine: threads against each other, and sizes of a call.

What is compared takes turns, so that other programs on the machine hurt all alike, and its ratios
are taken turn by turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar

from edge_rerank.description import Description, EngineChoice, Kernel, ThreadsChoice
from edge_rerank.errors import InputError
from edge_rerank.machine.cpu import Cpu, read_cpu
from edge_rerank.machine.threads import resolve_threads, usable_threads
from edge_rerank.reranker import Reranker

if TYPE_CHECKING:
    import os

LEAST_SECONDS, MOST_SECONDS = 1.0, 60.0
QUERY = "how long does bread have to rest before it is baked"
PASSAGE_WORDS = 100
SIZES = (1, 2, 5, 10, 20, 50, 100)
"""Passages of a call."""
_CALL = 50
"""Passages of a call while numbers of threads are compared, where the machine is fast enough."""
_SMALL = 20
"""Calls with fewer passages are repeated in a turn until this many passages were ranked."""
_MOST_TURNS = 50
_NEAR = 0.95
"""What is this near to the best is as good: a smaller size or number of threads is then better."""
_TEXT = """\
Flour, water, salt and yeast are all that a plain loaf needs, and time does most of the work. Mix
them until no dry flour is left, cover the bowl and let it stand for half an hour; the water goes
where kneading would have taken it. Fold the dough over itself a few times and leave it alone until
it has doubled, which takes two hours in a warm kitchen and a whole night in a refrigerator. Shape
it, let it rise once more under a cloth, and heat the oven as far as it goes with a closed pot
inside. Turn the loaf into the pot, put the lid on and bake for thirty minutes; the steam keeps the
crust soft while the bread still grows. Then take the lid off and wait until the colour is that of
chestnuts. A loaf that sounds hollow when it is knocked on its bottom is done. Let it cool on a rack
before it is cut, however hard that is, because it goes on cooking inside."""

Key = TypeVar("Key", int, str)
Turns = Sequence[Sequence[float]]
"""Seconds of each call, turn by turn."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a call took with a number of threads or of passages."""

    threads: int
    passages: int
    calls: int
    """How many were timed."""
    p50: float
    """Seconds of a call: the median."""
    p95: float
    """Seconds of a call: 95 of 100 took less."""
    passages_per_second: float
    tokens_per_second: float
    speed: float
    """Passages a second over those of the first row, by the median of ratios turn by turn."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What was measured on this machine, and what follows from it."""

    name: str
    path: Path
    precision: str
    size: int
    """Bytes of the artifact."""
    cpu: Cpu
    engine: Description
    load_seconds: float
    """From nothing to a model that can score, checksums included."""
    words: int
    """Of a passage."""
    threads: tuple[Row, ...]
    sizes: tuple[Row, ...]
    """With as many threads as are suggested."""
    best_threads: int
    """The fewest threads that come near the best throughput."""
    best_size: int
    """The fewest passages of a call that do."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        suggestion = {"threads": self.best_threads, "passages_per_call": self.best_size}
        return {
            "name": self.name,
            "path": str(self.path),
            "precision": self.precision,
            "size": self.size,
            "cpu": {**asdict(self.cpu), "usable_threads": usable_threads()},
            "engine": self.engine.to_json(),
            "load_seconds": self.load_seconds,
            "words": self.words,
            "threads": [asdict(row) for row in self.threads],
            "sizes": [asdict(row) for row in self.sizes],
            "suggestion": suggestion,
        }


def benchmark(
    path: str | os.PathLike[str] | None = None,
    *,
    seconds: float = 20.0,
    threads: SupportsIndex | ThreadsChoice | None = None,
    engine: EngineChoice = "auto",
    kernel: Kernel | None = None,
    progress: Callable[[int], None] | None = None,
) -> Benchmark:
    """Measure a model for about ``seconds`` seconds.

    Args:
        path: the artifact's folder; None is the built-in model.
        seconds: 1 to 60. A call that has begun is finished, and loading comes on top.
        threads: measure with this number alone; None compares 1, 2, 4 and so on.
        engine: as for :meth:`Reranker.load`.
        kernel: as for :meth:`Reranker.load`.
        progress: called with the number of calls made so far.

    Raises what :meth:`Reranker.load` and scoring do, and InputError for ``seconds``.
    """
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise InputError(f"seconds is {seconds:g}; expected {LEAST_SECONDS:g} to {MOST_SECONDS:g}")
    counts = thread_counts(usable_threads()) if threads is None else [resolve_threads(threads)]
    with ExitStack() as stack:
        start = time.perf_counter()
        load = stack.enter_context
        rerankers = {
            counts[-1]: load(Reranker.load(path, threads=counts[-1], engine=engine, kernel=kernel))
        }
        load_seconds = time.perf_counter() - start
        for count in counts[:-1]:
            rerankers[count] = load(
                Reranker.load(path, threads=count, engine=engine, kernel=kernel, verify=False)
            )
        timer = _Timer(rerankers, progress or (lambda _: None))
        by_threads = timer.threads(counts, seconds / 2)
        best_threads = fewest(by_threads, "threads")
        by_size = timer.sizes(best_threads, seconds / 2)
        artifact = rerankers[counts[-1]].artifact
        return Benchmark(
            name=artifact.manifest.name,
            path=artifact.path,
            precision=artifact.manifest.precision,
            size=sum(record.size for record in artifact.manifest.files.values()),
            cpu=read_cpu(),
            engine=rerankers[best_threads].describe(),
            load_seconds=load_seconds,
            words=PASSAGE_WORDS,
            threads=tuple(by_threads),
            sizes=tuple(by_size),
            best_threads=best_threads,
            best_size=fewest(by_size, "passages"),
        )


def thread_counts(usable: int) -> list[int]:
    """Return 1, 2, 4 and so on, and all that may be used."""
    counts = [1 << power for power in range(usable.bit_length()) if 1 << power < usable]
    return [*counts, usable]


def fewest(rows: Sequence[Row], what: str) -> int:
    """Return the smallest number of threads, or of passages, that comes near the best speed."""
    best = max(row.speed for row in rows)
    return min(int(getattr(row, what)) for row in rows if row.speed >= _NEAR * best)


def passages(count: int) -> list[str]:
    """Return passages of equal length that differ."""
    words = _TEXT.split()
    starts = (index * 7 % len(words) for index in range(count))
    return [" ".join((words[at:] + words)[:PASSAGE_WORDS]) for at in starts]


class _Timer:
    """Times calls of rerankers that are open, by their number of threads."""

    def __init__(self, rerankers: Mapping[int, Reranker], progress: Callable[[int], None]) -> None:
        """Score one passage with each, which is a first estimate as well."""
        self._rerankers, self._progress, self._calls = rerankers, progress, 0
        for reranker in rerankers.values():
            self._time(reranker, 1)  # the first call finds cold caches
        self._one = {count: self._time(reranker, 1) for count, reranker in rerankers.items()}
        widest = rerankers[max(rerankers)]
        self._tokens = sum(document.tokens for document in widest.rank(QUERY, passages(1)))

    def threads(self, counts: Sequence[int], seconds: float) -> list[Row]:
        """Compare numbers of threads, on calls that are as large as there is time for."""
        each = seconds / 5 / sum(self._one[count] for count in counts)
        size = max(1, min(_CALL, int(each)))
        calls = {
            count: (lambda reranker=self._rerankers[count]: [self._time(reranker, size)])
            for count in counts
        }
        times = take_turns(calls, seconds)
        return [
            self._row(count, size, times[count], speed(times[counts[0]], times[count]))
            for count in counts
        ]

    def sizes(self, threads: int, seconds: float) -> list[Row]:
        """Compare sizes of a call; the larger ones only where there is time for them."""
        reranker, one = self._rerankers[threads], self._one[threads]
        work = {size: size * max(1, _SMALL // size) for size in SIZES}  # of a turn
        fitting = [
            size
            for size in SIZES
            if one * sum(work[smaller] for smaller in SIZES if smaller <= size) < seconds
        ]
        chosen = fitting or [1]
        calls = {size: (lambda size=size: self._some(reranker, size)) for size in chosen}
        times = take_turns(calls, seconds)
        first = times[chosen[0]]
        return [
            self._row(threads, size, times[size], speed(first, times[size]) * size / chosen[0])
            for size in chosen
        ]

    def _row(self, threads: int, size: int, turns: Turns, speed: float) -> Row:
        times = [seconds for turn in turns for seconds in turn]
        p50 = statistics.median(times)
        return Row(
            threads=threads,
            passages=size,
            calls=len(times),
            p50=p50,
            p95=percentile(times, 0.95),
            passages_per_second=size / p50,
            tokens_per_second=size * self._tokens / p50,
            speed=speed,
        )

    def _some(self, reranker: Reranker, size: int) -> list[float]:
        """Make a turn's calls: one of a small size alone would be lost in the noise."""
        return [self._time(reranker, size) for _ in range(max(1, _SMALL // size))]

    def _time(self, reranker: Reranker, size: int) -> float:
        texts = passages(size)
        start = time.perf_counter()
        reranker.rank(QUERY, texts)
        taken = time.perf_counter() - start
        self._calls += 1
        self._progress(self._calls)
        return taken


def take_turns(
    calls: Mapping[Key, Callable[[], list[float]]],
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Key, list[list[float]]]:
    """Make each key's calls once a turn, until the time is over; from one turn to 50."""
    end = clock() + seconds
    times: dict[Key, list[list[float]]] = {key: [] for key in calls}
    for turn in range(_MOST_TURNS):
        shortest = sum(min(map(sum, turns)) for turns in times.values()) if turn else 0.0
        if turn and clock() + shortest > end:
            break
        for key, call in calls.items():
            times[key].append(call())
    return times


def speed(first: Turns, other: Turns) -> float:
    """Return how many times as fast the other's calls are, by the median of ratios turn by turn."""
    medians = (
        (statistics.median(one), statistics.median(two))
        for one, two in zip(first, other, strict=True)
    )
    return statistics.median(one / two for one, two in medians)


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile, between two values by their distance; ``share`` is 0 to 1."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    above = ordered[min(low + 1, len(ordered) - 1)]
    return ordered[low] + (above - ordered[low]) * (place - low)
