"""The worker's side of the protocol: one JSON object a line in, one out.

    {"do": "open", "adapter": NAME, "settings": {...}}   -> {"versions": {...}}
    {"do": "texts", "name": NAME, "pairs": [[query, document], ...]}   -> {}
    {"do": "score", "name": NAME, "logits": BOOL, "rest": S}   -> {"seconds": S, "logits": [...]}:
        after that many seconds without work, none if they are not named
    {"do": "facts"}   -> {"peak_bytes": N, ...}: what the engine says about itself,
        or the memory alone with {"brief": true}

What fails is answered by {"error": "Type: message"}, and the worker goes on. It ends with its
input.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from importlib import metadata
from typing import Any, TextIO

from . import CannotRunError

Message = dict[str, Any]


class Worker:
    """An engine and the texts that it is going to score."""

    def __init__(self) -> None:
        """Start without an engine."""
        self._engine: Any = None
        self._texts: dict[str, list[tuple[str, str]]] = {}

    def answer(self, message: Message) -> Message:
        """Do what a message asks for; raises what the peer's library raises."""
        todo = message["do"]
        if todo == "open":
            adapter = importlib.import_module(f"{__package__}.{message['adapter']}")
            self._engine = adapter.open_engine(message["settings"])
            return {"versions": versions(adapter.DISTRIBUTIONS)}
        if todo == "texts":
            self._texts[message["name"]] = [(query, text) for query, text in message["pairs"]]
            return {}
        if todo == "score":
            time.sleep(message.get("rest", 0))
            return self._score(self._texts[message["name"]], message["logits"])
        if todo == "facts":
            more = {} if message.get("brief") else self._engine.facts()
            return {"peak_bytes": peak_bytes(), **more}
        raise ValueError(f"unknown request {todo!r}")

    def _score(self, pairs: list[tuple[str, str]], with_logits: bool) -> Message:
        start = time.perf_counter()
        logits = self._engine.score(pairs)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, **({"logits": logits} if with_logits else {})}


def answered(worker: Worker, message: Message) -> Message:
    """Answer a message; what fails is an answer too."""
    try:
        return worker.answer(message)
    except CannotRunError as error:
        return {"error": str(error)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Return the installed versions of the distributions that are there."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def peak_bytes() -> int | None:
    """Return the most memory this process has had; None where the system does not say.

    Linux's own figure for the program: getrusage counts what the parent had before it.
    """
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
            return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size << 10


def own_channel() -> TextIO:
    """Keep standard output for answers: what libraries print goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def main() -> None:
    """Answer until the input ends."""
    channel, worker = own_channel(), Worker()
    for line in sys.stdin:
        channel.write(json.dumps(answered(worker, json.loads(line))) + "\n")
        channel.flush()
