"""A worker in another environment, asked by JSON lines; see ``worker.serve``."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any

TIMEOUT = 600.0
"""Seconds that an answer may take: a hanging peer must not hang the run."""


class PeerError(Exception):
    """A peer failed; the message says why, on one line."""


class WorkerProcess:
    """A running worker. Closed at the end of a ``with`` block."""

    def __init__(self, command: Sequence[str], *, threads: int, timeout: float = TIMEOUT) -> None:
        """Start it; raises PeerError when the command cannot be run."""
        self._timeout = timeout
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self.started = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                env=os.environ | _settings(threads),
            )
        except OSError as error:
            self._errors.close()
            raise PeerError(f"cannot be started: {error}") from error
        self._answers: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a request and give its answer; raises PeerError for any failure."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=self._timeout)
        except OSError:
            line = None
        except Empty:
            self._process.kill()
            raise PeerError(f"no answer within {self._timeout:g} s") from None
        if line is None:
            raise PeerError(self._why_ended())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(" ".join(str(answer["error"]).split()))
        return answer

    def close(self) -> None:
        """End it: it ends with its input, or is killed."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def _why_ended(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return f"ended with {code}" + (f": {lines[-1]}" if lines else "")


def _settings(threads: int) -> dict[str, str]:
    """Return what tells libraries to take that many threads and to leave the network alone."""
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "RAYON_NUM_THREADS": count,
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
    }
