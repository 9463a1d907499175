"""How many requests, and how many bytes of them, the server holds at a time."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from edge_rerank.server.errors import OverloadedError, StoppingError
from edge_rerank.server.settings import Limits


class Admission:
    """Counts what is held; used from the event loop alone."""

    def __init__(self, limits: Limits, retry_after: Callable[[], int]) -> None:
        """``retry_after`` estimates in how many seconds there will be room."""
        self.limits = limits
        self.stopping = False
        self.requests = 0
        self.bytes = 0
        self._retry_after = retry_after

    def hold(self) -> Hold:
        """Return a hold of no bytes as yet; raises StoppingError when the server stops."""
        if self.stopping:
            raise StoppingError("the server is stopping")
        return Hold(self)

    def overloaded(self, why: str) -> OverloadedError:
        """Return the error that says when to try again."""
        return OverloadedError(f"the server is busy: {why}", self._retry_after())


class Hold:
    """What one request holds, until the end of its ``with`` block."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._bytes = 0
        self._counted = False

    def bytes(self, size: int) -> None:
        """Hold ``size`` bytes in all; raises OverloadedError when the server has no room."""
        admission = self._admission
        more = size - self._bytes
        if admission.bytes + more > admission.limits.waiting_bytes:
            raise admission.overloaded("the requests that wait hold as much text as it takes")
        admission.bytes += more
        self._bytes = size

    def count(self) -> None:
        """Count as a request that waits; raises OverloadedError when too many do."""
        admission = self._admission
        if admission.requests >= admission.limits.waiting:
            raise admission.overloaded(f"{admission.requests} requests are waiting")
        admission.requests += 1
        self._counted = True

    def __enter__(self) -> Hold:
        """Return the hold itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of everything."""
        self._admission.bytes -= self._bytes
        self._admission.requests -= self._counted
