"""How this thread rounds: another library may have changed it, and then scores are not the model's.

The setting belongs to a thread, and new threads inherit it: what holds here holds for those that an
engine starts from here.
"""

from __future__ import annotations

_DOUBT = 2.0**-53  # half of the distance from 1 to the next double
_NORMAL = 2.0**-1022  # the smallest double that is not denormal
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
