"""ONNX Runtime on the CPU: padded batches, each run by one thread, as many at once as allowed.

ONNX Runtime can also split every operator over the threads. Many operators of a DeBERTa-v2 graph
do not split, and the threads wait for one another at each that does: whole batches side by side
are faster, keep each core's data in its own cache, and leave no thread spinning afterwards.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_rerank.artifact.folder import Artifact
from edge_rerank.description import EngineInfo, EngineName
from edge_rerank.ending import NO_LIMITS, Limits
from edge_rerank.engines.checks import check_batch
from edge_rerank.engines.onnx.batching import TOKEN_BUDGET, Batch, plan_batches
from edge_rerank.engines.onnx.memory import return_free_memory
from edge_rerank.engines.onnx.session import CAREFUL_PRODUCTS, open_session
from edge_rerank.engines.onnx.worker import Worker
from edge_rerank.errors import ClosedError, no_thread
from edge_rerank.handles import OfThisProcess, OpenedHere
from edge_rerank.pairs import TokenizedBatch

T = TypeVar("T")
P = ParamSpec("P")


class _CallingThread(Executor):
    """Runs at once what is submitted: one worker needs no thread beside the caller's."""

    def submit(self, act: Callable[P, T], /, *arguments: P.args, **keywords: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(act(*arguments, **keywords))
        return done


class OnnxEngine(OfThisProcess):
    """Runs ``model.onnx`` with ONNX Runtime; see :class:`edge_rerank.engines.Engine`.

    The graph takes ``input_ids`` and ``attention_mask`` and, in a model with token types,
    ``token_type_ids``, all int64 ``[batch, sequence]``, and gives ``logits``, float32
    ``[batch, 1]`` or ``[batch]``.
    """

    name: EngineName = "onnxruntime"

    def __init__(
        self,
        artifact: Artifact,
        *,
        threads: int,
        max_length: int,
        token_budget: int = TOKEN_BUDGET,
        map_weights: bool = False,
        why: str,
    ) -> None:
        """Open the graph for ``threads`` workers; raises EngineError when it cannot be run.

        ``why`` is what :meth:`describe` gives as the reason for this engine.
        """
        architecture = artifact.manifest.architecture
        self._threads = threads
        self._max_length = max_length
        self._budget = token_budget
        self._why = why
        self._vocabulary = architecture.vocab_size
        opened = open_session(artifact, why, map_weights=map_weights)
        self._version = opened.version
        self._settings = opened.settings
        room = max(token_budget, max_length)
        # A worker is taken out while it runs, so that none is ever used by two threads.
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(threads):
            self._idle.put(Worker(opened, room, architecture.pad_token_id))
        self._pool: Executor | None = (
            ThreadPoolExecutor(threads, "edge-rerank") if threads > 1 else _CallingThread()
        )
        self._closing = threading.Lock()
        self._here = OpenedHere("engine")

    def logits(self, batch: TokenizedBatch, limits: Limits = NO_LIMITS) -> NDArray[np.float32]:
        """Return one float32 logit a pair, in input order; see the protocol for the errors."""
        self._here.check()
        check_batch(batch, max_length=self._max_length, vocabulary=self._vocabulary)
        planned = plan_batches(
            batch.lengths.tolist(),
            max_length=self._max_length,
            workers=self._threads,
            token_budget=self._budget,
        )
        result = np.empty(len(batch), np.float32)
        running: deque[tuple[Batch, Future[NDArray[np.float32]]]] = deque()
        try:
            for some in planned:
                # One ahead for each worker, so that none waits, and no other caller for long.
                if len(running) == 2 * self._threads:
                    _collect_oldest(running, result)
                limits.check()
                running.append((some, self._submit(batch, some, limits)))
            while running:
                _collect_oldest(running, result)
        except FutureCancelled:
            raise ClosedError("the engine was closed while it ran; load a new one") from None
        finally:
            for _, future in running:  # after a failure, the rest need not run
                future.cancel()
        return result

    def describe(self) -> EngineInfo:
        """Say which ONNX Runtime it is and how it was set up."""
        self._here.check()
        return EngineInfo(
            engine=self.name,
            version=self._version,
            why=self._why,
            threads=self._threads,
            max_length=self._max_length,
            token_budget=self._budget,
            careful_products=CAREFUL_PRODUCTS in self._settings,
        )

    def close(self) -> None:
        """Wait for running batches, free the session and the buffers, return their memory."""
        if not self._here:
            return  # what a fork copied of it is not ours to end
        with self._closing:
            pool, self._pool = self._pool, None
        if pool is None:
            return
        pool.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get()
        return_free_memory()

    def _submit(
        self, batch: TokenizedBatch, some: Batch, limits: Limits
    ) -> Future[NDArray[np.float32]]:
        with self._closing:
            if self._pool is None:
                raise ClosedError("the engine is closed; load a new one")
            try:
                return self._pool.submit(self._run, batch, some, limits)
            except RuntimeError as error:
                raise no_thread(error) from error

    def _run(self, batch: TokenizedBatch, some: Batch, limits: Limits) -> NDArray[np.float32]:
        limits.check()
        worker = self._idle.get()
        try:
            return worker.run(batch.take(some.indices), some.length)
        finally:
            self._idle.put(worker)


def _collect_oldest(
    running: deque[tuple[Batch, Future[NDArray[np.float32]]]], result: NDArray[np.float32]
) -> None:
    """Wait for the batch that was submitted first, and take its logits."""
    some, future = running[0]
    # Not futures.wait(), which does not see those that a pool cancels when it is shut down.
    result[list(some.indices)] = future.result()
    running.popleft()
