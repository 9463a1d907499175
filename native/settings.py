"""What the environment asks of a build: whether to build the library, and for which platform."""

from __future__ import annotations

import os
import sys

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


def refuse_32_bits() -> None:
    """End a build by a 32-bit Python, for which nothing would run what is built.

    Asked by the first question of an installer: later, it would fail to find onnxruntime for such
    a system, and say that alone.
    """
    if sys.maxsize < 2**32 and target() is None and wanted() in ("", "1"):
        raise SystemExit(
            "this is a 32-bit Python; edge-rerank needs a 64-bit one. Where uname -m says aarch64 "
            "or x86_64, the system's programs are of 32 bits all the same: install a 64-bit system"
        )


def needs_compiler() -> bool:
    """Return whether this build compiles the library."""
    return wanted() != "0" and target() is not None
