"""Threads of this process as Linux lists them, those of libraries among them."""

from __future__ import annotations

import os
import time
from collections.abc import Collection

FOLDER = "/proc/self/task"
_LATEST = 20.0  # seconds, on a machine with much else to do


def tasks() -> set[str]:
    """Return the threads that there are."""
    return set(os.listdir(FOLDER))


def left_of(some: Collection[str]) -> set[str]:
    """Return which of these threads do not end: one that was joined is listed for a moment yet."""
    latest = time.monotonic() + _LATEST
    while (left := tasks() & set(some)) and time.monotonic() < latest:
        time.sleep(0.01)
    return left
