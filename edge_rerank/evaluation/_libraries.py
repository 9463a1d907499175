"""The libraries of the ``evaluation`` extra, imported when they are used and not before."""

from __future__ import annotations

from typing import Any

from edge_rerank.installation import extra_library

_NEEDED = ("scipy",)


def library(name: str) -> Any:
    """Import a library of the extra; raises MissingExtraError, which says how to install it."""
    return extra_library(name, "evaluation", "evaluating on a collection")


def check_libraries() -> None:
    """Import all of them, so that a missing one is found before an hour's work, not after."""
    for name in _NEEDED:
        library(name)
