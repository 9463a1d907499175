"""Signals that ask the process to end: it ends as Ctrl-C ends it, with all that is tidied then."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_NAMES = ("SIGTERM", "SIGHUP")  # the second is sent when a terminal is closed; not on Windows


class Ended(KeyboardInterrupt):
    """Another program asked this one to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise :class:`Ended` where a signal would end the process on the spot.

    A signal that is ignored, as nohup has it, or that somebody handles stays as it is. The first
    process of a container gets no signal at all that it does not handle.
    """
    handled = []
    if threading.current_thread() is threading.main_thread():
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _end)
                handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: object) -> NoReturn:
    raise Ended(number)
