"""Giving freed memory back to the system, which the C library does not always do by itself."""

from __future__ import annotations

import ctypes
import gc


def return_free_memory() -> None:
    """Ask glibc to give its free memory back; does nothing where there is no ``malloc_trim``.

    A closed model's hundreds of megabytes would otherwise stay with the process as free memory
    of the allocator.
    """
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return
    trim(0)
