"""Counts and times in Prometheus' text format, under text-embeddings-inference's names."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_rerank.server.observation import Observation
from edge_rerank.server.scheduler import Call

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TOKENS = tuple(float(1 << power) for power in range(4, 21, 2))
_COUNTS = tuple(float(1 << power) for power in range(0, 11))


@dataclass(eq=False)
class Histogram:
    """Values counted into buckets."""

    bounds: tuple[float, ...]
    total: float = 0.0
    counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str) -> list[str]:
        """Return the lines of this metric."""
        lines, so_far = [], 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            so_far += count
            lines.append(f'{name}_bucket{{le="{bound:g}"}} {so_far}')
        so_far += self.counts[-1]
        lines.append(f'{name}_bucket{{le="+Inf"}} {so_far}')
        return [*lines, f"{name}_sum {self.total:g}", f"{name}_count {so_far}"]


class Metrics:
    """Everything that is counted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._successes: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._histograms = {
            "te_request_duration": Histogram(_SECONDS),
            "te_request_queue_duration": Histogram(_SECONDS),
            "te_request_inference_duration": Histogram(_SECONDS),
            "te_request_input_length": Histogram(_TOKENS),
            "te_batch_next_size": Histogram(_COUNTS),
            "te_batch_next_tokens": Histogram(_TOKENS),
        }

    def answered(self, seen: Observation) -> None:
        """Count a scoring request that has been answered, or has failed."""
        kind = "batch" if seen.documents > 1 else "single"
        with self._lock:
            self._requests[kind] += 1
            if seen.failure is not None:
                self._failures[seen.failure] += 1
                return
            self._successes[kind] += 1
            self._add("te_request_duration", seen.seconds)
            self._add("te_request_queue_duration", seen.queue_seconds)
            self._add("te_request_inference_duration", seen.inference_seconds)
            self._add("te_request_input_length", seen.tokens)

    def called(self, call: Call) -> None:
        """Count a call of the engine."""
        with self._lock:
            self._add("te_batch_next_size", call.pairs)
            self._add("te_batch_next_tokens", call.tokens)

    def render(self, gauges: Mapping[str, float]) -> str:
        """Return all metrics, with what is measured at this moment in ``gauges``."""
        with self._lock:
            lines = [
                *_counter("te_request_count", "method", self._requests),
                *_counter("te_request_success", "method", self._successes),
                *_counter("te_request_failure", "err", self._failures),
            ]
            for name, histogram in self._histograms.items():
                lines += [f"# TYPE {name} histogram", *histogram.lines(name)]
        for name, value in gauges.items():
            lines += [f"# TYPE {name} gauge", f"{name} {value:.17g}"]
        return "\n".join(lines) + "\n"

    def _add(self, name: str, value: float) -> None:
        self._histograms[name].add(value)


def _counter(name: str, label: str, counts: Counter[str]) -> list[str]:
    values = [f'{name}{{{label}="{key}"}} {count}' for key, count in sorted(counts.items())]
    return [f"# TYPE {name} counter", *values]
