"""The libraries of the ``evaluation`` extra, imported when they are used and not before."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edge_rerank.errors import MissingExtraError
from edge_rerank.installation import install_command

_NEEDED = ("scipy",)


def library(name: str) -> Any:
    """Import a library of the extra; raises MissingExtraError, which says how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"evaluating on a collection needs {name.partition('.')[0]}, which cannot be imported "
            f"({error}); install the extra with: {install_command('evaluation')}"
        ) from error


def check_libraries() -> None:
    """Import all of them, so that a missing one is found before an hour's work, not after."""
    for name in _NEEDED:
        library(name)
