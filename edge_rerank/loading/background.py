"""Outcomes that are looked at later, of work done here or on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Outcome(Generic[T]):
    """What a function gave, or what it raised; it runs while this is made."""

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
        except BaseException as error:
            self._error = error

    def _wait(self) -> None:
        pass


class Background(Outcome[T]):
    """The same on a thread of its own: it may still run when this has been made."""

    def _run(self, act: Callable[[], T]) -> None:
        run = super()._run
        self._thread = threading.Thread(target=run, args=(act,), name="edge-rerank-load")
        self._thread.start()

    def _wait(self) -> None:
        self._thread.join()
