"""Other libraries' warnings kept off the user's screen: none of them asks for an action."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

_LOGGERS = ("transformers", "optimum", "torch.onnx")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let errors alone through."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    try:
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
