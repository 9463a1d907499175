"""A bar of tqdm, where that package is installed: who comes from sentence-transformers has it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from edge_rerank.warning import LOGGER, warn


@contextmanager
def progress_bar(total: int, shown: bool | None) -> Iterator[Callable[[int], Any]]:
    """Return what is called with a number of pairs; None shows it where logging is at INFO."""
    if shown is None:
        shown = logging.getLogger(LOGGER).getEffectiveLevel() in (logging.DEBUG, logging.INFO)
    bar = None
    if shown:
        try:
            bar = import_module("tqdm.auto").tqdm(total=total, desc="Pairs")
        except ImportError:
            warn("CrossEncoder: show_progress_bar needs tqdm, which is not installed")
    if bar is None:
        yield lambda count: None
        return
    with bar:
        yield bar.update
