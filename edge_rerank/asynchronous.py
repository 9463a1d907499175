"""The reranker for programs with an event loop: calls run in threads, and end when awaiting does.

    from edge_rerank import AsyncReranker

    async with await AsyncReranker.load() as reranker:
        hits = await reranker.rank("how do plants eat?", documents)

A task that is cancelled, or a client that has gone, ends the engine's work within a piece of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from edge_rerank.ending import CancelToken
from edge_rerank.errors import InputError
from edge_rerank.inputs import parameters
from edge_rerank.reranker import AT_A_TIME, Reranker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_rerank.description import Description
    from edge_rerank.pairs import Pair
    from edge_rerank.results import RankedDocument, ScoredPair

T = TypeVar("T")

THREADS = 32
"""Calls that wait for the engine at a time; the engine itself has threads of its own."""


class AsyncReranker:
    """A :class:`~edge_rerank.Reranker` whose calls are awaited; from any number of tasks."""

    def __init__(self, reranker: Reranker) -> None:
        """Take a reranker that is open; :meth:`close` closes it too."""
        if not isinstance(reranker, Reranker):
            raise InputError("AsyncReranker takes a Reranker; AsyncReranker.load() opens a model")
        self.reranker = reranker
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="edge-rerank-call")

    @classmethod
    async def load(
        cls, path: str | os.PathLike[str] | None = None, **settings: Any
    ) -> AsyncReranker:
        """Open a model as :meth:`Reranker.load` does; ``settings`` are its keywords."""
        loading = asyncio.ensure_future(asyncio.to_thread(Reranker.load, path, **settings))
        try:
            return cls(await asyncio.shield(loading))
        except asyncio.CancelledError:
            loading.add_done_callback(_close_loaded)
            raise

    def describe(self) -> Description:
        """Say which engine and tokenizer run, and how."""
        return self.reranker.describe()

    async def rank(
        self, query: str, documents: Iterable[Any], **options: Any
    ) -> list[RankedDocument[Any]]:
        """Rank documents; ``options`` are those of :meth:`Reranker.rank`, but for ``cancel``.

        ``progress`` and ``text_of`` are called in another thread, and so is an iterator read.
        """
        return await self._call(partial(self.reranker.rank, query, documents), options)

    async def predict(self, pairs: Iterable[Pair], **options: Any) -> NDArray[np.float32]:
        """Score pairs; ``options`` are those of :meth:`Reranker.predict`, but for ``cancel``."""
        return await self._call(partial(self.reranker.predict, pairs), options)

    async def score(
        self, pairs: Iterable[Pair], *, at_a_time: int = AT_A_TIME, **options: Any
    ) -> AsyncIterator[ScoredPair]:
        """Score a stream of pairs, as :meth:`Reranker.score`; leaving the loop ends the work."""
        count = parameters.at_a_time(at_a_time)
        token = _token(options)
        scored = self.reranker.score(pairs, at_a_time=count, cancel=token, **options)
        try:
            while True:
                some, error = await self._threaded(partial(_some, scored, count), token)
                for pair in some:
                    yield pair
                if error is not None:
                    raise error
                if len(some) < count:
                    return
        finally:
            token.cancel()

    async def close(self) -> None:
        """Free the model, when the calls that run have come to their end."""
        await asyncio.to_thread(self._shut)

    async def __aenter__(self) -> AsyncReranker:
        """Return itself; it is closed at the end of the block."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Free the model."""
        await self.close()

    def _shut(self) -> None:
        self._pool.shutdown()
        self.reranker.close()

    async def _call(self, call: Callable[..., T], options: dict[str, Any]) -> T:
        token = _token(options)
        return await self._threaded(partial(call, cancel=token, **options), token)

    async def _threaded(self, call: Callable[[], T], token: CancelToken) -> T:
        """Await a call in a thread, which ends when the task that awaits it is cancelled."""
        _ = self.reranker.max_length  # raises ClosedError after close
        running = asyncio.get_running_loop().run_in_executor(self._pool, call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            token.cancel()
            running.add_done_callback(_forget)
            raise


def _token(options: dict[str, Any]) -> CancelToken:
    if "cancel" in options:
        raise InputError("cancel: cancel the task that awaits the call in its place")
    return CancelToken()


def _some(scored: Iterator[ScoredPair], count: int) -> tuple[list[ScoredPair], Exception | None]:
    """Take up to ``count`` results, and what ended them."""
    taken: list[ScoredPair] = []
    try:
        taken.extend(islice(scored, count))
    except Exception as error:
        return taken, error
    return taken, None


def _forget(running: asyncio.Future[Any]) -> None:
    """Look at what nobody waits for any more, so that asyncio does not complain of it."""
    if not running.cancelled():
        running.exception()


def _close_loaded(loading: asyncio.Future[Reranker]) -> None:
    if not loading.cancelled() and loading.exception() is None:
        loading.result().close()
