"""What ends a call before it is done: its time is over, or another thread cancels it."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass

from edge_rerank.errors import CancelledError, TimedOutError

CANCELLED = "the call was cancelled"
TIMED_OUT = "the call was not done within its timeout; score fewer documents, or allow more time"


class CancelToken:
    """Ends the calls that it is given to, from any thread or signal handler.

    token = CancelToken()
    reranker.rank(query, documents, cancel=token)  # in one thread
    token.cancel()  # in another: the call raises CancelledError within a piece's time
    """

    __slots__ = ("_flag",)

    def __init__(self) -> None:
        """Begin as not cancelled."""
        self._flag = array("i", [0])  # which the native library reads

    def cancel(self) -> None:
        """End the calls that have this token, and those that will get it."""
        self._flag[0] = 1

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return bool(self._flag[0])

    @property
    def address(self) -> int:
        """Where the number lies that is 1 when it is cancelled."""
        return self._flag.buffer_info()[0]


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a call; engines look at it between pieces."""

    deadline: float | None = None
    """Seconds of ``time.monotonic()``."""
    cancel: CancelToken | None = None

    @classmethod
    def of(cls, timeout: float | None, cancel: CancelToken | None) -> Limits:
        """Return the limits of a call that begins now and has ``timeout`` seconds."""
        if timeout is None and cancel is None:
            return NO_LIMITS
        return cls(None if timeout is None else time.monotonic() + timeout, cancel)

    def seconds_left(self) -> float:
        """Return the seconds to the deadline, which there must be."""
        assert self.deadline is not None
        return self.deadline - time.monotonic()

    def check(self) -> None:
        """Raise CancelledError or TimedOutError where the call is to end."""
        if self.cancel is not None and self.cancel.cancelled:
            raise CancelledError(CANCELLED)
        if self.deadline is not None and self.seconds_left() <= 0:
            raise TimedOutError(TIMED_OUT)


NO_LIMITS = Limits()
