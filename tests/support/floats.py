"""A host that computes in another floating-point environment than the default."""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

ON_X86_LINUX = pytest.mark.skipif(
    not (sys.platform == "linux" and platform.machine() == "x86_64"),
    reason="the layout of fenv_t is that of glibc on x86-64",
)
MODES = {"upward": 0x800, "downward": 0x400, "toward zero": 0xC00}
FLUSH, DENORMALS_ARE_ZERO = 0x8000, 0x0040
_MXCSR_AT = 28

Change = Callable[[Any], object]


@contextmanager
def environment(change: Change) -> Iterator[None]:
    """Change this thread's floating-point environment, and put it back in the end."""
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    before = (ctypes.c_uint8 * 64)()
    assert libm.fegetenv(before) == 0
    try:
        change(libm)
        yield
    finally:
        libm.fesetenv(before)


def control() -> int:
    """Return this thread's MXCSR: how it rounds, what it does with denormals, raised flags."""
    now = (ctypes.c_uint8 * 64)()
    ctypes.CDLL(ctypes.util.find_library("m")).fegetenv(now)
    (mxcsr,) = struct.unpack_from("<I", now, _MXCSR_AT)
    return int(mxcsr)


def rounding(mode: str) -> Change:
    """Return a change of the direction of rounding."""
    return lambda libm: libm.fesetround(MODES[mode])


def flushing(bits: int) -> Change:
    """Return a change of what is done with denormal numbers."""

    def change(libm: Any) -> None:
        now = (ctypes.c_uint8 * 64)()
        libm.fegetenv(now)
        (mxcsr,) = struct.unpack_from("<I", now, _MXCSR_AT)
        struct.pack_into("<I", now, _MXCSR_AT, mxcsr | bits)
        libm.fesetenv(now)

    return change
