"""Fake engines with known timings, and a record of a run that never happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_rerank_bench.peers.catalogue import EngineSpec
from edge_rerank_bench.run.process import PeerError

Texts = list[tuple[str, str]]


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FakeWorker:
    """Takes that many seconds for a call, by a clock of its own."""

    def __init__(self, name: str, seconds: float, fails_at: int | None = None) -> None:
        self.started = 0.0
        self.name, self.closed = name, False
        self._seconds, self._fails_at, self._calls = seconds, fails_at, 0
        self._pairs: Mapping[str, Texts] = {}
        self.rests: list[float] = []

    def ask(self, **message: Any) -> dict[str, Any]:
        if message["do"] == "texts":
            self._pairs = {message["name"]: message["pairs"]}
            return {}
        if message["do"] == "facts":
            return {"peak_bytes": 1 << 20}
        assert message["do"] == "score"
        self.rests.append(message.get("rest", 0))
        self._calls += 1
        if self._calls == self._fails_at:
            raise PeerError("ended with -9: killed")
        pairs = self._pairs[message["name"]]
        logits = {"logits": [float(len(text)) for _, text in pairs]} if message["logits"] else {}
        return {"seconds": self._seconds, **logits}

    def close(self) -> None:
        self.closed = True


class FakeStarter:
    """Starts fake workers; a name without a time cannot be started."""

    def __init__(
        self, seconds: Mapping[str, float], fails_at: Mapping[str, int] | None = None
    ) -> None:
        self._seconds, self._fails_at = seconds, fails_at or {}
        self.workers: list[FakeWorker] = []

    def start(self, spec: EngineSpec, threads: int) -> tuple[FakeWorker, dict[str, str]]:
        if spec.name not in self._seconds:
            raise PeerError("not installed: prepare it")
        worker = FakeWorker(spec.name, self._seconds[spec.name], self._fails_at.get(spec.name))
        self.workers.append(worker)
        return worker, {"fake": "1.0"}


SHAPE = {
    "layers": 2,
    "hidden_size": 8,
    "heads": 2,
    "head_size": 4,
    "intermediate_size": 16,
    "vocab_size": 100,
    "pos_att_type": ["p2c", "c2p"],
}


def measurement(section: str, **changes: Any) -> dict[str, Any]:
    """Return a measurement of three engines: ours, one four times as slow, one broken."""
    return {
        "section": section,
        "shape": "xsmall",
        "threads": 2,
        "passages": 10,
        "words": 60,
        "pairs": 10,
        "tokens": 1000,
        "squares": 100_000,
        "padded": {"edge-rerank": 1000, "optimum-int8": 1250},
        "seconds": {
            "edge-rerank": [[0, 0.1], [1, 1.0], [2, 0.1]],
            "optimum-int8": [[0, 0.4], [1, 4.0], [2, 0.5]],
        },
        "failed": {"flashrank": "ConnectionError: its model | cannot be downloaded"},
    } | changes


def record() -> dict[str, Any]:
    """Return a whole record."""
    engine = {"versions": {"fake": "1.0"}, "same_model": True, "core": True}
    engine |= {"precision": "int8", "installed_bytes": 5_000_000}
    shape = {"title": "a shape", "trained": True, "architecture": SHAPE, "max_length": 512}
    parts = {"embedding": 0.01, "products": 0.1, "attention": 0.04, "rest": 0.02, "waiting": 0.01}
    stage = {"shape": "xsmall", "threads": 2, "pairs": 10, "tokens": 1000, "squares": 100_000}
    stage |= {"passages": 10, "words": 60, "calls": 3, "seconds": 0.1, "tokenizing": 0.005}
    error = {"rms_in_sigma": 0.25, "max_in_sigma": 1.0, "kendall_tau": 0.9}
    return {
        "format": 1,
        "machine": {
            "cpu": "Test CPU", "machine": "x86_64", "features": ["avx2"], "usable_threads": 2,
            "memory_bytes": 8 << 30, "system": "Linux 6", "python": "3.11.1",
            "texts_sha256": "0" * 64, "threads": 2, "plan": "quick",
        },
        "engines": {
            "edge-rerank": {**engine, "label": "edge-rerank", "batching": "packed"},
            "optimum-int8": {**engine, "label": "Optimum int8", "batching": "sorted, 16"},
            "flashrank": {**engine, "label": "FlashRank", "batching": "arrival, 0",
                          "same_model": False, "core": False, "versions": {}},
        },
        "order": ["edge-rerank", "optimum-int8", "flashrank"],
        "shapes": {"xsmall": shape},
        "sections": {
            "stream": {"date": "2026-01-31 12:00 UTC", "seconds": 12.0, "plan": "quick",
                       "version": "0.1.0", "commit": "abc", "load": 0.1},
        },
        "measurements": [
            measurement("latency"),
            measurement("stream", words=0),
            measurement("growth", passages=100, pairs=100),
            measurement("growth", words=90, failed={"optimum-int8": "a call would take 30 s"}),
            measurement("builtin"),
        ],
        "accuracy": {
            "xsmall": {"reference": "edge-rerank", "pairs": 10, "sigma": 1.0,
                       "engines": {"optimum-int8": error}},
        },
        "cold": [
            {"shape": "xsmall", "threads": 2, "engine": "edge-rerank", "seconds": [0.5, 0.4, 0.9],
             "peak_bytes": [100 << 20, 90 << 20, None], "failed": None},
        ],
        "stages": [{**stage, "parts": parts, "multiply_adds": 2e9}],
        "peaks": [{"threads": 2, "kernel": "avx2", "int8": 1e9, "fp32": 1e8, "bytes_read": 1e10}],
        "model_bytes": {"xsmall": {"edge-rerank": 80_000_000}},
    }  # fmt: skip
