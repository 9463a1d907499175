"""What the environment asks of a build: whether to build the library, and for which platform."""

from __future__ import annotations

import os

from native.targets import TARGETS, Target, host_target

BUILD, TARGET = "EDGE_RERANK_BUILD_NATIVE", "EDGE_RERANK_TARGET"


def wanted() -> str:
    """Return what EDGE_RERANK_BUILD_NATIVE says: ``0``, ``1``, ``auto`` or nothing."""
    value = os.environ.get(BUILD, "").strip()
    if value not in ("", "0", "1", "auto"):
        raise SystemExit(f"{BUILD} is {value!r}; expected 0, 1, auto or nothing")
    return value


def target() -> Target | None:
    """Return the platform to build for: EDGE_RERANK_TARGET's, or this one, if it is known."""
    name = os.environ.get(TARGET, "").strip()
    if not name:
        return host_target()
    if name not in TARGETS:
        raise SystemExit(f"{TARGET} is {name!r}; expected one of {', '.join(TARGETS)}")
    return TARGETS[name]


def needs_compiler() -> bool:
    """Return whether this build compiles the library."""
    return wanted() != "0" and target() is not None
