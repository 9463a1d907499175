"""SIGINT, SIGTERM and SIGHUP while training: the step is finished, and its state saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edge_rerank.cli.signals import Ended

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Wish:
    """Whether, and by which signal, the run was asked to end."""

    def __init__(self) -> None:
        self._number: int | None = None

    def __bool__(self) -> bool:
        return self._number is not None

    def hear(self, number: int, frame: object) -> None:
        """Remember the signal; the loop looks between steps. A second one ends at once."""
        if self._number is not None:
            raise self.error(number)
        self._number = number

    def fulfil(self) -> None:
        """Raise what the signal would have raised, if there was one."""
        if self._number is not None:
            raise self.error(self._number)

    @staticmethod
    def error(number: int) -> KeyboardInterrupt:
        """Return what ends the command with the signal's exit code."""
        return KeyboardInterrupt() if number == signal.SIGINT else Ended(number)


@contextmanager
def heard() -> Iterator[Wish]:
    """Hear signals until the block ends; those that are ignored stay so, as nohup has them."""
    wish, before = Wish(), {}
    if threading.current_thread() is threading.main_thread():
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, wish.hear)
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
