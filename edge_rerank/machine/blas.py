"""numpy's import where few threads, or none, can be made.

The OpenBLAS inside numpy starts a thread for each processor when it is imported. Where one cannot
be made it complains, and interrupts the process as Ctrl-C does. Nothing here needs those threads.
"""

from __future__ import annotations

import _thread
import os
import sys

VARIABLE = "OPENBLAS_NUM_THREADS"
_MOST = 64  # threads of the OpenBLAS in numpy's wheels


def import_numpy() -> None:
    """Import numpy if it is not there, with one thread of BLAS if no more can be made.

    Where they can be made, nothing is changed for programs that multiply with numpy.
    """
    if "numpy" in sys.modules or VARIABLE in os.environ:
        return
    if _can_be_made(min(os.cpu_count() or 1, _MOST) - 1):
        return
    os.environ[VARIABLE] = "1"
    try:
        import numpy  # noqa: F401
    finally:
        del os.environ[VARIABLE]


def _can_be_made(count: int) -> bool:
    """Return True if ``count`` threads can run at once.

    The plain threads of the system take a fifth of the time of Python's own.
    """
    go, ended = _thread.allocate_lock(), [_thread.allocate_lock() for _ in range(count)]
    go.acquire()
    started: list[_thread.LockType] = []

    def wait(end: _thread.LockType) -> None:
        with go:
            end.release()

    try:
        for end in ended:
            end.acquire()
            _thread.start_new_thread(wait, (end,))
            started.append(end)
    except RuntimeError:
        return False
    finally:
        go.release()
        for end in started:
            end.acquire()
    return True
