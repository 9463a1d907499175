"""Outcomes that are looked at later, of work done here or on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from edge_rerank.errors import no_thread

T = TypeVar("T")

_AT_MOST = 0.2
"""Seconds of a wait before it looks for interrupts."""


class Outcome(Generic[T]):
    """What a function gave, or what it raised; it runs while this is made.

    An interrupt does not wait to be looked at.
    """

    def __init__(self, act: Callable[[], T]) -> None:
        """Run ``act``."""
        self._values: list[T] = []
        self._error: BaseException | None = None
        self._run(act)

    def result(self) -> T:
        """Return what the function returned, or raise what it raised, when it has ended."""
        self._wait()
        if self._error is not None:
            raise self._error
        return self._values[0]

    def dismiss(self, free: Callable[[T], None]) -> None:
        """Free what the function gave, if it gave anything, when it has ended."""
        self._wait()
        while self._values:
            free(self._values.pop())

    def _run(self, act: Callable[[], T]) -> None:
        try:
            self._values.append(act())
        except Exception as error:
            self._error = error

    def _wait(self) -> None:
        pass


class Background(Outcome[T]):
    """The same on a thread of its own: it may still run when this has been made.

    It is waited for by an event. Before Python 3.13 a thread counts as ended when an interrupt
    comes while it is joined, and the interpreter would end beside it: with onnxruntime half
    imported or a model half open, in a crash or in a deadlock.
    """

    def _run(self, act: Callable[[], T]) -> None:
        self._ended = threading.Event()

        def work() -> None:
            try:
                self._values.append(act())
            except BaseException as error:
                self._error = error
            finally:
                self._ended.set()

        try:
            threading.Thread(target=work, name="edge-rerank-load").start()
        except RuntimeError as error:
            raise no_thread(error) from error

    def _wait(self) -> None:
        # A wait without an end of its own misses an interrupt that comes just as it begins, and
        # any on Windows.
        while not self._ended.wait(_AT_MOST):
            pass
