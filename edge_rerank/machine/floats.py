"""How this thread rounds: another library may have changed it, and then scores are not the model's.

The setting belongs to a thread, and new threads inherit it: what holds here holds for those that an
engine starts from here. The native engine sees to its own; this is for what Python, numpy and
ONNX Runtime compute.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_DOUBT = 2.0**-53  # half of the distance from 1 to the next double
_NORMAL = 2.0**-1022  # the smallest double that is not denormal
_FENV_BYTES = 64  # more than a fenv_t has
_REMEDY = "set the default (in C, fesetenv(FE_DFL_ENV)) in this thread"


def rounding_fault(one: float = 1.0) -> str | None:
    """Say how this thread rounds, where that is not to nearest; None where it is.

    ``one`` is a parameter so that the sums are computed here, and not when this is compiled.
    """
    up, down, back = one + _DOUBT, -one - _DOUBT, one + 1.5 * _DOUBT
    if up > one:
        mode = "upward"
    elif down < -one:
        mode = "downward"
    elif back == one:
        mode = "toward zero"
    else:
        return None
    return (
        f"floating-point numbers are rounded {mode} in this thread, not to nearest, so that scores "
        f"are not the model's: {_REMEDY}"
    )


def denormal_fault(half: float = 0.5) -> str | None:
    """Say whether this thread takes denormal numbers for zero; None where it does not."""
    small = _NORMAL * half
    if small * 2.0 == _NORMAL:
        return None
    return (
        "denormal floating-point numbers are taken for zero in this thread (FTZ or DAZ, which "
        f"libraries built with -ffast-math set), so that scores may not be the model's: {_REMEDY}"
    )


@contextmanager
def default_floats() -> Iterator[None]:
    """Set the default for this thread, and what was there before in the end.

    Where the system cannot be asked for it, all stays as it is: :func:`rounding_fault` says so.
    """
    if rounding_fault() is None and denormal_fault() is None:
        yield
        return
    import ctypes

    before = (ctypes.c_uint8 * _FENV_BYTES)()
    try:
        library = ctypes.CDLL(None)  # the C library, and libm, which Python itself is linked with
        default = _default_environment(library)
        known = default is not None and library.fegetenv(before) == 0
        if known:
            library.fesetenv(default)
    except (OSError, AttributeError, TypeError, ValueError):
        known = False
    try:
        yield
    finally:
        if known:
            library.fesetenv(before)


def _default_environment(library: Any) -> Any:
    """Return what FE_DFL_ENV is in C; None where that is not known."""
    import ctypes

    system: str = sys.platform
    if system == "linux":
        return ctypes.c_void_p(-1)
    if system == "darwin":
        return ctypes.byref(ctypes.c_char.in_dll(library, "_FE_DFL_ENV"))
    return None
