"""A progress bar of our own: on standard error, on a terminal, and nowhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


class ProgressLine:
    """A line on standard error that counts; silent unless that is a terminal."""

    def __init__(
        self, what: str, *, total: int = 0, share: Callable[[], float | None] | None = None
    ) -> None:
        """Count ``what`` up to ``total``, or, where ``share`` tells it, by how much is done."""
        self._on = sys.stderr is not None and sys.stderr.isatty()
        self._what, self._total, self._share = what, total, share
        self._count, self._width = 0, 0
        self._start = time.monotonic()
        self._next = self._start + 0.5

    def show(self, count: int) -> None:
        """Say how many there are by now; shown a few times a second."""
        self._count = count
        if self._on and time.monotonic() >= self._next:
            self._show()
            self._next = time.monotonic() + 0.2

    def close(self) -> None:
        """Wipe the line."""
        if self._width:
            self._write(" " * self._width + "\r")
            self._width = 0

    def _show(self) -> None:
        rate = self._count / (time.monotonic() - self._start)
        share = self._share() if self._share else None
        line = f"{self._count:,} {self._what}, {rate:,.0f} a second"
        if self._total:
            share = min(1.0, self._count / self._total)
            line = f"{self._count:,} of {self._total:,} {self._what}, {rate:,.0f} a second"
        if share is not None:
            line = f"[{'#' * int(20 * share):.<20}] {int(100 * share)} %, {line}"
        self._write(line.ljust(self._width))
        self._width = max(self._width, len(line))

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text)
        sys.stderr.flush()
