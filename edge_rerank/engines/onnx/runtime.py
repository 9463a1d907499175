"""The one way to onnxruntime: its telemetry off, and no release that computes wrong scores."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from edge_rerank.errors import EngineError

OLDEST = "1.21"
"""Before it, the mask of a padded row did not hold: scores of short passages beside long ones are
off by as much again as int8 is."""
_SETTING = "ORT_DISABLE_TELEMETRY"


def disable_telemetry() -> None:
    """Keep onnxruntime from calling home, unless the user has decided.

    From 1.29 on Linux it looks up and contacts a host some seconds after its import, and writes a
    database below the home folder. Libraries that import it by themselves need this as well.
    """
    os.environ.setdefault(_SETTING, "1")


def import_onnxruntime(why: str) -> Any:
    """Import onnxruntime; ``why`` it is needed is part of what is said when it is missing.

    Raises EngineError when it cannot be imported, or is too old to compute right scores.
    """
    disable_telemetry()
    remedy = f"python -m pip install 'onnxruntime>={OLDEST}'"
    try:
        runtime: Any = import_module("onnxruntime")
        version = str(runtime.__version__)
    except (ImportError, AttributeError) as error:  # what a half-removed package is, a namespace
        raise EngineError(
            f"onnxruntime cannot be imported: {error}; it is needed here ({why}): {remedy}"
        ) from error
    if _numbers(version) < _numbers(OLDEST):
        raise EngineError(
            f"onnxruntime {version} computes wrong scores for padded passages; "
            f"{OLDEST} or later is needed here ({why}): {remedy}"
        )
    return runtime


def _numbers(version: str) -> tuple[int, ...]:
    """Return major and minor release; what cannot be read counts as new."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (1 << 30,)
