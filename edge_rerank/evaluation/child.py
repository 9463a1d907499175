"""The side that asks: a process of :mod:`edge_rerank.evaluation.worker`, started and ended."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_rerank.errors import EngineError
from edge_rerank.warning import warn

# Not "-m": that would look for this package, and for all it imports, in the working folder first.
_START = (
    "import sys; sys.path[:] = [place for place in sys.path if place] + [sys.argv[1]]; "
    "from edge_rerank.evaluation.worker import main; main()"
)
_ROOT = Path(__file__).resolve().parents[2]


class ChildError(Exception):
    """What was asked for failed, or the process ended; the message says why."""


class Child:
    """A worker's process. It ends with the ``with`` block, however that ends."""

    def __init__(self) -> None:
        """Start it; raises EngineError where no Python can be started."""
        if getattr(sys, "frozen", False) or not sys.executable:
            raise EngineError(
                "models are compared in processes of their own, which need a Python: this program "
                "has none that could be started (it is frozen or embedded)"
            )
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(_ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        except OSError as error:
            self._errors.close()
            raise EngineError(f"{sys.executable}: cannot be started: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def ask(self, do: str, **message: Any) -> dict[str, Any]:
        """Ask for something and return the answer; raises ChildError."""
        try:
            self._requests.write(json.dumps({"do": do, **message}).encode() + b"\n")
            self._requests.flush()
        except OSError:
            raise ChildError(self._why_ended()) from None
        for line in self._answers:
            answer: dict[str, Any] = json.loads(line)
            if "warning" in answer:
                warn(answer["warning"])
            elif "error" in answer:
                raise ChildError(_told(**answer["error"]))
            else:
                return answer
        raise ChildError(self._why_ended())

    def __enter__(self) -> Child:
        """Return the process itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it: nothing that it has is needed any more."""
        self._process.kill()
        self._process.wait()
        for stream in (self._requests, self._answers, self._errors):
            with contextlib.suppress(OSError):
                stream.close()

    def _why_ended(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        if code >= 0:
            return f"its process ended with {code}{last}"
        name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
        hint = "; was there too little memory?" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}{last}"


def _told(type: str, message: str) -> str:
    """Return an error of this package by its message alone: it says what is wrong."""
    from edge_rerank import errors

    known = hasattr(errors, type) and message
    return " ".join((message if known else f"{type}: {message}").split())
