"""What holds memory, threads or files of this process, and cannot be copied or sent elsewhere."""

from __future__ import annotations

import os
from typing import NoReturn

from edge_rerank.errors import EngineError


class OfThisProcess:
    """Refuses to be pickled and copied; a copy would be of no use, or end what is not its own."""

    def __reduce__(self) -> NoReturn:
        """Name what can be copied in its place."""
        raise TypeError(f"a {type(self).__name__} belongs to this process; copy the Reranker")


class OpenedHere:
    """The process that something was opened in.

    A fork copies memory but no threads: an engine would wait for its own for ever.
    """

    def __init__(self, noun: str) -> None:
        """Remember this process; ``noun`` is what was opened in it."""
        self._noun, self._process = noun, os.getpid()

    def __bool__(self) -> bool:
        """Say whether this is that process, and not one forked from it."""
        return self._process == os.getpid()

    def check(self) -> None:
        """Raise EngineError in a process forked from it."""
        if not self:
            raise EngineError(
                f"this {self._noun} was loaded in process {self._process}, and this is "
                f"{os.getpid()}, forked from it; load one in each process"
            )
