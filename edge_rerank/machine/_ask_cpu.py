"""What the processor can do, by asking the operating system's libraries; no code of our own.

Unlike ``/proc/cpuinfo``, these answer for the processor that this process sees, under an emulator
too, and leave out what the operating system does not let programs use.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping

# Features by their Linux names. Of x86: leaf and register of CPUID, as glibc numbers them in
# <bits/platform/x86.h>, and the bit.
_EAX, _EBX, _ECX, _EDX = range(4)
_LEAF_1, _LEAF_7, _LEAF_80000001, _LEAF_7_1 = 0, 1, 2, 6
_CPUID = {
    "avx2": (_LEAF_7, _EBX, 5),
    "avx512f": (_LEAF_7, _EBX, 16),
    "avx_vnni": (_LEAF_7_1, _EAX, 4),
    "avx512_vnni": (_LEAF_7, _ECX, 11),
    "amx_int8": (_LEAF_7, _EDX, 25),
}
# What compilers call x86-64-v2.
_BASELINE = {
    "pni": (_LEAF_1, _ECX, 0),
    "ssse3": (_LEAF_1, _ECX, 9),
    "cx16": (_LEAF_1, _ECX, 13),
    "sse4_1": (_LEAF_1, _ECX, 19),
    "sse4_2": (_LEAF_1, _ECX, 20),
    "popcnt": (_LEAF_1, _ECX, 23),
    "lahf_lm": (_LEAF_80000001, _ECX, 0),
}
# Of Linux on Arm: the entry of the auxiliary vector, and the bit; <asm/hwcap.h>.
_HWCAP, _HWCAP2 = 16, 26
_AUXILIARY = {"asimddp": (_HWCAP, 20), "i8mm": (_HWCAP2, 13), "bf16": (_HWCAP2, 14)}
_SYSCTL = {
    "avx2": "hw.optional.avx2_0",
    "avx512f": "hw.optional.avx512f",
    "avx512_vnni": "hw.optional.avx512vnni",
    "asimddp": "hw.optional.arm.FEAT_DotProd",
    "i8mm": "hw.optional.arm.FEAT_I8MM",
    "bf16": "hw.optional.arm.FEAT_BF16",
}
# Numbers of IsProcessorFeaturePresent, <winnt.h>. There are none for VNNI on x86.
_WINDOWS = {"asimddp": 43, "i8mm": 66, "bf16": 68}


def ask_cpu(*, is_x86: bool) -> frozenset[str] | None:
    """Return those of the known features that the processor has; None if unknown."""
    try:
        if sys.platform == "win32":
            present = ctypes.windll.kernel32.IsProcessorFeaturePresent
            return None if is_x86 else _having(_WINDOWS, lambda number: bool(present(number)))
        if sys.platform == "darwin":
            return _having(_SYSCTL, _sysctl)
        if is_x86:
            return _having(_CPUID, _cpuid())
        return _having(_AUXILIARY, _auxiliary())
    except (AttributeError, OSError):  # another C library than glibc 2.33 or later
        return None


def missing_baseline() -> frozenset[str]:
    """Return what an x86 processor lacks of x86-64-v2, as far as it can be told."""
    try:
        return frozenset(_BASELINE) - _having(_BASELINE, _cpuid())
    except (AttributeError, OSError):
        return frozenset()


def _having(known: Mapping[str, object], has: Callable[..., bool]) -> frozenset[str]:
    return frozenset(name for name, where in known.items() if has(where))


def _cpuid() -> Callable[[tuple[int, int, int]], bool]:
    ask = ctypes.CDLL(None).__x86_get_cpuid_feature_leaf
    ask.argtypes = [ctypes.c_uint]
    # struct cpuid_feature: four registers as the processor gives them, then four with the bits
    # that the operating system supports as well.
    ask.restype = ctypes.POINTER(ctypes.c_uint32 * 8)
    return lambda place: bool(ask(place[0]).contents[4 + place[1]] >> place[2] & 1)


def _auxiliary() -> Callable[[tuple[int, int]], bool]:
    ask = ctypes.CDLL(None).getauxval
    ask.argtypes, ask.restype = [ctypes.c_ulong], ctypes.c_ulong
    return lambda place: bool(ask(place[0]) >> place[1] & 1)


def _sysctl(name: str) -> bool:
    value = ctypes.c_int64(0)
    size = ctypes.c_size_t(ctypes.sizeof(value))
    ask = ctypes.CDLL(None).sysctlbyname
    # A name that this processor or release does not know is an error, and counts as absent.
    failed = ask(name.encode(), ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0))
    return not failed and value.value != 0
