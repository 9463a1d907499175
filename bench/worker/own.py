"""edge-rerank itself, by its public interface: checks at load included."""

from __future__ import annotations

import time
from typing import Any

from edge_rerank import Reranker
from edge_rerank.tokenizing.choose import PairTokenizer

DISTRIBUTIONS = ("edge-rerank", "onnxruntime", "tokenizers", "numpy")


class OwnEngine:
    """A reranker."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Load it."""
        self._threads = settings["threads"]
        self._reranker = Reranker.load(
            settings["model"],
            threads=self._threads,
            engine=settings["engine"],
            kernel=settings.get("kernel"),
            self_check=settings.get("self_check", True),
        )

    def score(self, pairs: list[tuple[str, str]]) -> list[float]:
        """Return the logits."""
        self._last = pairs
        return [scored.logit for scored in self._reranker.score(pairs)]

    def facts(self) -> dict[str, Any]:
        """Return the engine's account of itself, and how long tokenising the last pairs takes."""
        artifact = self._reranker.artifact
        tokenizer = PairTokenizer(
            artifact.file("tokenizer.json"),
            max_length=self._reranker.max_length,
            threads=self._threads,
            prompt=artifact.manifest.prompt,
        )
        times = []
        for _ in range(5):
            start = time.perf_counter()
            tokenizer.encode(self._last)
            times.append(time.perf_counter() - start)
        return {
            "engine": self._reranker.describe().to_json(),
            "tokenizing": sorted(times)[2],
        }


def open_engine(settings: dict[str, Any]) -> OwnEngine:
    """Load the artifact ``model`` with ``engine`` and ``kernel``."""
    return OwnEngine(settings)
