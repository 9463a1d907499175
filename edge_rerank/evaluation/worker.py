"""A process of its own for one model, or for BM25: its time and its memory are nobody else's.

One JSON object a line in, one out. What fails is answered by ``{"error": {...}}``; warnings come as
``{"warning": TEXT}`` before the answer. It ends with its input.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from edge_rerank.evaluation.bm25 import Bm25
from edge_rerank.machine.memory import peak_bytes
from edge_rerank.reranker import Reranker
from edge_rerank.warning import tell_warnings_to
from edge_rerank.windows.options import Windows

Message = Mapping[str, Any]
_WARM_UP = 8  # passages: the first call finds cold caches, and buffers that are not there yet


class Worker:
    """What the other side asks for, by the name of the request."""

    def __init__(self) -> None:
        """Begin without anything."""
        self._reranker: Reranker | None = None
        self._bm25: Bm25 | None = None

    def open(self, message: Message) -> Message:
        """Load a model, and say what it is."""
        start = time.perf_counter()
        self._reranker = Reranker.load(message["path"], **message["settings"])
        seconds = time.perf_counter() - start
        return {"load_seconds": seconds, "engine": self._reranker.describe().to_json()}

    def warm_up(self, message: Message) -> Message:
        """Rank a few of a query's documents, untimed."""
        assert self._reranker is not None
        documents = message["documents"][:_WARM_UP]
        self._reranker.rank(message["query"], documents, **_arguments(message["reading"]))
        return {}

    def rank(self, message: Message) -> Message:
        """Rank a query's documents: what one call takes, and what comes out."""
        assert self._reranker is not None
        how = _arguments(message["reading"])
        start = time.perf_counter()
        ranked = self._reranker.rank(message["query"], message["documents"], **how)
        seconds = time.perf_counter() - start
        return {
            "seconds": seconds,
            "ranked": [(result.index, result.logit) for result in ranked],
            "tokens": sum(result.tokens for result in ranked),
            "truncated": sum(result.truncated for result in ranked),
        }

    def prepare(self, message: Message) -> Message:
        """Begin an index for these queries."""
        self._bm25 = Bm25(message["queries"])
        return {}

    def add(self, message: Message) -> Message:
        """Add documents to the index."""
        assert self._bm25 is not None
        start = time.perf_counter()
        for text in message["documents"]:
            self._bm25.add(text)
        return {"seconds": time.perf_counter() - start}

    def finish(self, message: Message) -> Message:
        """Finish the index."""
        assert self._bm25 is not None
        start = time.perf_counter()
        self._bm25.finish()
        return {"seconds": time.perf_counter() - start}

    def find(self, message: Message) -> Message:
        """Return the best documents of a query."""
        assert self._bm25 is not None
        start = time.perf_counter()
        ranked = self._bm25.best(message["query"], message["depth"])
        return {"seconds": time.perf_counter() - start, "ranked": ranked}

    def memory(self, message: Message) -> Message:
        """Say how much memory this process has had."""
        return {"peak_bytes": peak_bytes()}


def _arguments(reading: Message) -> dict[str, Any]:
    """Return what :meth:`Reranker.rank` is given for long texts."""
    windows = reading["windows"]
    return {
        "long_documents": "truncate" if windows is None else Windows(**windows),
        "query_max_tokens": reading["query_max_tokens"],
    }


def answered(act: Callable[[Message], Message], message: Message) -> Message:
    """Answer a message; what fails is an answer too."""
    try:
        return act(message)
    except Exception as error:
        return {"error": {"type": type(error).__name__, "message": str(error)}}


def own_channel() -> TextIO:
    """Keep standard output for answers: what libraries print goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def main() -> None:
    """Answer until the input ends; Ctrl-C is for the process that asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel, worker = own_channel(), Worker()

    def write(value: Message) -> None:
        channel.write(json.dumps(value) + "\n")
        channel.flush()

    tell_warnings_to(lambda warning: write({"warning": warning}))
    try:
        for line in sys.stdin.buffer:
            message = json.loads(line)
            write(answered(getattr(worker, message["do"]), message))
    except BrokenPipeError:  # nobody asks any more
        os._exit(0)
