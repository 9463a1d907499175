"""The most memory this process has had, as the operating system counts it."""

from __future__ import annotations

import ctypes
import sys


def peak_bytes() -> int | None:
    """Return the peak of the resident memory; None where the system does not tell.

    Of Linux its own figure for the program: getrusage counts what the parent had before it.
    """
    if sys.platform == "win32":
        return _windows()
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
            return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    import resource  # not on Windows

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size << 10


class _Counters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS, <psapi.h>."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("page_faults", ctypes.c_uint32),
        ("peak", ctypes.c_size_t),
        ("others", ctypes.c_size_t * 7),
    )


def _windows() -> int | None:
    kernel = ctypes.CDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    counters = _Counters(size=ctypes.sizeof(_Counters))
    ask = kernel.K32GetProcessMemoryInfo
    ask.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Counters), ctypes.c_uint32]
    if not ask(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.size):
        return None
    return int(counters.peak)
