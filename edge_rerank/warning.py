"""What a user should know and no exception says: the logger ``edge_rerank``."""

from __future__ import annotations

from collections.abc import Callable

LOGGER = "edge_rerank"
_told: list[Callable[[str], None]] = []


def warn(message: str) -> None:
    """Log a warning, or tell it to whom :func:`tell_warnings_to` named."""
    for tell in _told:
        tell(message)
    if not _told:
        import logging  # most processes have nothing to warn of

        logging.getLogger(LOGGER).warning("%s", message)


def tell_warnings_to(tell: Callable[[str], None]) -> None:
    """Have warnings told in place of logged: for a program of its own, such as the command."""
    _told[:] = [tell]
