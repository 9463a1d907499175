"""The one error of the harness."""

from __future__ import annotations


class EmulationError(Exception):
    """Something outside is missing or failed; the message says what, and what would help."""
