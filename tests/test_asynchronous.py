"""AsyncReranker: the same answers, a loop that goes on, and cancelled tasks that end the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from edge_rerank import AsyncReranker, ClosedError, InputError, Reranker, TimedOutError
from edge_rerank.pairs import Pair

T = TypeVar("T")
QUERY = "how do plants eat"
DOCUMENTS = ["Steel bridges rust.", "Plants make sugar of light.", "Rivers flow to the sea."]
MANY = [
    f"Rivers flow to the sea, and plant number {place} eats light. " * 8 for place in range(3000)
]


def run(work: Callable[[AsyncReranker], Awaitable[T]]) -> T:
    async def all_of_it() -> T:
        async with await AsyncReranker.load(threads=1) as reranker:
            return await work(reranker)

    return asyncio.run(all_of_it())


@pytest.fixture(scope="module")
def direct() -> Iterator[Reranker]:
    with Reranker.load(threads=1) as loaded:
        yield loaded


def test_the_same_answers(direct: Reranker) -> None:
    pairs = [(QUERY, document) for document in DOCUMENTS]

    async def work(reranker: AsyncReranker) -> None:
        several = await asyncio.gather(*(reranker.rank(QUERY, DOCUMENTS, top_k=2) for _ in "abcd"))
        assert several == [direct.rank(QUERY, DOCUMENTS, top_k=2)] * 4
        found = await reranker.predict(pairs, scores="logits")
        assert found.tolist() == direct.predict(pairs, scores="logits").tolist()
        for count in (1, 2, 3, 256):
            scored = [pair async for pair in reranker.score(pairs, at_a_time=count)]
            assert scored == list(direct.score(pairs))
        assert reranker.describe() is not None

    run(work)


def test_a_stream_gives_what_is_finished_before_an_error() -> None:
    def stream() -> Iterator[Pair]:
        yield from ((QUERY, document) for document in DOCUMENTS)
        yield QUERY, "\ud800"

    async def work(reranker: AsyncReranker) -> None:
        scored = reranker.score(stream(), at_a_time=256)
        assert len([await anext(scored) for _ in range(3)]) == 3
        with pytest.raises(InputError, match="pair 3: the document"):
            await anext(scored)

    run(work)


def test_the_loop_goes_on_and_a_cancelled_task_ends_the_work() -> None:
    seen: list[int] = []

    async def work(reranker: AsyncReranker) -> None:
        task = asyncio.create_task(reranker.rank(QUERY, MANY, progress=seen.append))
        ticks = 0
        while not seen:
            await asyncio.sleep(0.005)
            ticks += 1
        assert ticks > 2
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await reranker.rank(QUERY, DOCUMENTS)
        await reranker.close()  # waits for the thread
        assert seen[-1] < len(MANY)

    run(work)


def test_a_task_s_timeout_and_our_own() -> None:
    async def work(reranker: AsyncReranker) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reranker.rank(QUERY, MANY), 0.1)
        with pytest.raises(TimedOutError):
            await reranker.rank(QUERY, MANY, timeout=0.1)
        with pytest.raises(InputError, match="cancel the task"):
            await reranker.rank(QUERY, MANY, cancel=None)

    run(work)


def test_leaving_a_stream_ends_it() -> None:
    taken: list[int] = []

    def stream() -> Iterator[Pair]:
        for place, document in enumerate(MANY):
            taken.append(place)
            yield QUERY, document

    async def work(reranker: AsyncReranker) -> None:
        scored: AsyncIterator[object] = reranker.score(stream(), at_a_time=4)
        async for _ in scored:
            break
        await scored.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.2)
        assert len(taken) == 4

    run(work)


def test_after_close() -> None:
    async def work(reranker: AsyncReranker) -> None:
        await reranker.close()
        with pytest.raises(ClosedError):
            await reranker.rank(QUERY, DOCUMENTS)
        with pytest.raises(InputError, match=r"AsyncReranker\.load\(\)"):
            AsyncReranker("folder")  # type: ignore[arg-type]

    run(work)
