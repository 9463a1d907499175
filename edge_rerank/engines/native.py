"""Our own engine in C++: pairs packed without padding, the same bits on every CPU.

The library is called through its C interface, so that it fits every Python of a platform. Calls
from several threads take turns in it, a piece each, with all of the engine's threads.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_rerank.artifact.folder import Artifact
from edge_rerank.description import EngineInfo, EngineName, Kernel, Memory, Timings
from edge_rerank.ending import NO_LIMITS, Limits
from edge_rerank.engines.checks import check_batch
from edge_rerank.errors import ClosedError, InputError
from edge_rerank.handles import OfThisProcess, OpenedHere
from edge_rerank.native_library import Library, Options, UnavailableError, load_library
from edge_rerank.pairs import TokenizedBatch

KERNEL_VARIABLE = "EDGE_RERANK_KERNEL"
WEIGHTS = "model.safetensors"
_MOST_THREADS = 256
_KEY_GROUP = 16  # the library pads a pair's keys to whole groups


class NativeEngine(OfThisProcess):
    """Runs ``model.safetensors`` with the native library; see :class:`edge_rerank.engines.Engine`.

    A process forked from the one that made it cannot use it: the engine's threads stay behind.
    """

    name: EngineName = "native"

    def __init__(
        self,
        artifact: Artifact,
        *,
        threads: int,
        max_length: int,
        kernel: Kernel | None = None,
        map_weights: bool = False,
        why: str,
    ) -> None:
        """Open the artifact with a kernel; None is EDGE_RERANK_KERNEL's, or else the fastest.

        ``why`` is what :meth:`describe` gives as the reason for this engine. With mapped weights,
        a file that was written to makes :meth:`logits` raise ArtifactError.

        Raises InputError for a kernel that this CPU does not have, UnavailableError (an
        EngineError) when there is no library or it cannot run this model, ArtifactError for
        weights that are not as they should be, EngineError when there is not enough memory.
        """
        library = load_library()
        self._library, self._why = library, why
        self._kernel_why, chosen = _choose_kernel(library, kernel)
        if WEIGHTS not in artifact.manifest.files:
            raise UnavailableError(
                f"{artifact.path}: has no {WEIGHTS}, which the native engine runs from"
            )
        options = Options(
            size=ctypes.sizeof(Options),
            threads=min(threads, _MOST_THREADS),
            max_length=max_length,
            kernel=chosen.encode(),
            map_weights=map_weights,
        )
        self._max_length = max_length
        self._vocabulary = artifact.manifest.architecture.vocab_size
        handle = library.open(os.fsencode(artifact.path), options)
        self._capacity = library.describe(handle).tokens_in_flight
        self._handle: ctypes.c_void_p | None = handle
        # In a forked process, the library itself frees nothing and waits for nobody.
        self._free = weakref.finalize(self, library.close, handle)
        self._free.atexit = False  # the process ends with all its memory and threads anyway
        self._here = OpenedHere("engine")
        self._running = 0
        self._state = threading.Condition()

    def logits(self, batch: TokenizedBatch, limits: Limits = NO_LIMITS) -> NDArray[np.float32]:
        """Return one float32 logit a pair, in input order; see the protocol for the errors."""
        handle = self._enter()
        try:
            check_batch(batch, max_length=self._max_length, vocabulary=self._vocabulary)
            logits = np.empty(len(batch), np.float32)
            for begin, end in _pieces(batch.offsets, self._capacity):
                limits.check()
                part = batch.part(begin, end)
                self._library.score(
                    handle,
                    part.ids,
                    part.offsets,
                    part.first_segments,
                    len(part),
                    logits[begin:end],
                    limits,
                )
            return logits
        finally:
            self._leave()

    def describe(self) -> EngineInfo:
        """Say which kernel runs and why, what memory it takes and where its time went."""
        handle = self._enter()
        try:
            info = self._library.describe(handle)
        finally:
            self._leave()
        times = info.times
        return EngineInfo(
            engine=self.name,
            version=self._library.version,
            why=self._why,
            threads=info.threads,
            max_length=info.max_length,
            kernel=info.kernel.decode(),
            kernel_why=self._kernel_why,
            kernels=self._library.kernels,
            tokens_in_flight=info.tokens_in_flight,
            memory=Memory(info.weights_bytes, info.buffers_bytes, info.mapped_bytes),
            timings=Timings(
                times.embedding, times.products, times.attention, times.rest, times.waiting
            ),
            multiply_adds=times.multiply_adds,
        )

    def close(self) -> None:
        """Wait for running calls, end the threads, free weights and buffers."""
        if not self._here:
            return  # what a fork copied of it is not ours to end
        with self._state:
            if self._handle is None:
                return
            self._handle = None
            while self._running:
                self._state.wait()
        self._free()

    def _enter(self) -> ctypes.c_void_p:
        """Return the handle, which stays valid until :meth:`_leave`."""
        self._here.check()
        with self._state:
            if self._handle is None:
                raise ClosedError("the engine is closed; load a new one")
            self._running += 1
            return self._handle

    def _leave(self) -> None:
        with self._state:
            self._running -= 1
            self._state.notify_all()


def _choose_kernel(library: Library, asked: Kernel | None) -> tuple[str, Kernel]:
    """Return why a kernel is taken, and its name; raises InputError when this CPU lacks it."""
    variable = os.environ.get(KERNEL_VARIABLE, "").strip()
    name: str
    if asked is not None:
        why, name = "asked for", asked
    elif variable not in ("", "auto"):
        why, name = f"{KERNEL_VARIABLE} is set", variable
    else:
        return "the fastest one for this CPU", library.kernels[0]
    known = {kernel: kernel for kernel in library.kernels}
    if name not in known:
        where = "kernel" if asked is not None else KERNEL_VARIABLE
        remedy = "" if asked is not None else "; unset it to take the fastest"
        kernels = ", ".join(library.kernels)
        raise InputError(f"{where} is {name!r}; expected one that this CPU runs: {kernels}{remedy}")
    return why, known[name]


def _pieces(offsets: NDArray[np.int64], capacity: int) -> Iterator[tuple[int, int]]:
    """Cut pairs into the pieces that the library itself would make.

    It cuts by itself, and others have their turn between its pieces; but Python acts on an
    interrupt only when a call has come back.
    """
    groups = -(-np.diff(offsets) // _KEY_GROUP)
    ends = np.cumsum(groups * _KEY_GROUP)
    begin = 0
    while begin < len(ends):
        used = ends[begin - 1] if begin else 0
        end = int(np.searchsorted(ends, used + capacity, side="right"))
        yield begin, end
        begin = end
