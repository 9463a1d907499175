"""What holds memory, threads or files of this process, and cannot be copied or sent elsewhere."""

from __future__ import annotations

from typing import NoReturn


class OfThisProcess:
    """Refuses to be pickled and copied; a copy would be of no use, or end what is not its own."""

    def __reduce__(self) -> NoReturn:
        """Name what can be copied in its place."""
        raise TypeError(f"a {type(self).__name__} belongs to this process; copy the Reranker")
