"""What the user sees while an export runs: one line for each stage, with its time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str], None]


class Stages:
    """Numbers the stages of a run and times them."""

    def __init__(self, count: int, write: Report | None = None) -> None:
        """Announce ``count`` stages through ``write``; to standard error when it is None."""
        self._count = count
        self._done = 0
        self._write = write or _to_standard_error

    def note(self, text: str) -> None:
        """Say something that the user should know, between stages."""
        self._write(f"note: {text}\n")

    @contextmanager
    def stage(self, text: str) -> Iterator[None]:
        """Run one stage; its line is written when it begins, its time when it is done."""
        self._done += 1
        label = f"[{self._done}/{self._count}] {text}"
        start = time.perf_counter()
        self._write(f"{label} ...\n")
        yield
        self._write(f"{label}: {time.perf_counter() - start:.1f} s\n")


def _to_standard_error(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
