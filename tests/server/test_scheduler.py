"""The scheduler alone, with a reranker that records what it is asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from edge_rerank.errors import CancelledError
from edge_rerank.pairs import Pair
from edge_rerank.reranker import Reranker
from edge_rerank.results import ScoredPair
from edge_rerank.server.job import CutError, Job
from edge_rerank.server.scheduler import Call, Scheduler


class Recorder:
    """Scores a pair with the length of its document; waits until it may."""

    max_length = 512

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.may = threading.Event()
        self.fails_at: str | None = None

    def score(self, pairs: Sequence[Pair], **options: Any) -> Iterator[ScoredPair]:
        assert self.may.wait(30)
        self.calls.append([document for _, document in pairs])
        for _, document in pairs:
            if document == self.fails_at:
                raise ValueError(document)
            yield ScoredPair(0.5, float(len(document)), 10, document.startswith("long"))


def job(reranker: Recorder, *documents: str, joins: bool = True, refuse: bool = False) -> Job:
    pairs = [("q", document) for document in documents]
    future = asyncio.get_running_loop().create_future()
    return Job(cast("Reranker", reranker), pairs, refuse, joins, future)


def play(recorder: Recorder, *groups: Any) -> tuple[list[Any], list[Call]]:
    """Queue jobs behind a first one that is held back, let go, and return what became of each."""
    calls: list[Call] = []

    async def all_of_them() -> list[Any]:
        scheduler = Scheduler(calls.append)
        scheduler.start()
        scheduler.add(first := job(recorder, "first", joins=False))
        jobs = [make() for make in groups]
        for one in jobs:
            scheduler.add(one)
        assert scheduler.retry_after() >= 1
        recorder.may.set()
        await first.future
        results = await asyncio.gather(*(one.future for one in jobs), return_exceptions=True)
        scheduler.close()
        return [
            result if result is not None else [pair.logit for pair in one.scored]
            for one, result in zip(jobs, results, strict=True)
        ]

    return asyncio.run(all_of_them()), calls


def test_short_jobs_share_a_call_in_order_of_arrival() -> None:
    recorder = Recorder()
    names = [f"{'x' * place}" for place in range(1, 6)]
    results, calls = play(recorder, *(lambda name=name: job(recorder, name) for name in names))
    assert results == [[float(place)] for place in range(1, 6)]
    assert recorder.calls == [["first"], names]
    assert [call.requests for call in calls] == [1, 5]


def test_a_short_job_is_in_the_first_call_beside_long_ones() -> None:
    recorder = Recorder()
    long = ["y" * 4000] * 100
    results, _ = play(
        recorder,
        lambda: job(recorder, *long),
        lambda: job(recorder, *long),
        lambda: job(recorder, "short"),
    )
    assert "short" in recorder.calls[1]
    assert results[:2] == [[4000.0] * 100] * 2
    assert max(len(call) for call in recorder.calls) <= 40


def test_where_company_may_change_bits_jobs_take_turns() -> None:
    recorder = Recorder()
    makes = [lambda: job(recorder, *["z" * 4000] * 50, joins=False)] * 2
    play(recorder, *makes, lambda: job(recorder, "short", joins=False))
    calls = [set(call) for call in recorder.calls]
    assert all(len(call) == 1 for call in calls)
    assert calls.index({"short"}) == 3  # after one piece of each before it


def test_a_failure_is_its_own_jobs_alone() -> None:
    recorder = Recorder()
    recorder.fails_at = "bad"
    makes = [lambda name=name: job(recorder, name) for name in ("a", "bad", "bb")]
    results, _ = play(recorder, *makes)
    assert results[0] == [1.0]
    assert isinstance(results[1], ValueError)
    assert results[2] == [2.0]


def test_a_cut_that_is_refused_ends_its_job() -> None:
    recorder = Recorder()
    documents = ["a", "long", *["y" * 4000] * 200]
    results, _ = play(recorder, lambda: job(recorder, *documents, refuse=True))
    assert isinstance(results[0], CutError)
    assert results[0].index == 1
    assert len(recorder.calls) == 2


def test_a_cancelled_job_is_dropped() -> None:
    recorder = Recorder()

    async def run() -> None:
        scheduler = Scheduler()
        scheduler.start()
        scheduler.add(first := job(recorder, "first", joins=False))
        scheduler.add(dropped := job(recorder, "dropped"))
        scheduler.add(last := job(recorder, "last"))
        scheduler.cancel(dropped)
        recorder.may.set()
        await asyncio.gather(first.future, last.future)
        scheduler.close()

    asyncio.run(run())
    assert recorder.calls == [["first"], ["last"]]


@pytest.mark.parametrize("room", [1, 100, 10_000])
def test_a_piece_has_a_pair_at_least_and_no_more_than_its_room(room: int) -> None:
    async def run() -> None:
        whole = job(Recorder(), *["w" * 396] * 50)  # 100 tokens and a few
        piece, used = whole.piece(room, 512)
        assert piece
        assert used <= room or len(piece) == 1

    asyncio.run(run())


class Endless:
    """Scores until it is told to stop."""

    max_length = 512

    def __init__(self) -> None:
        self.began, self.ended = threading.Event(), threading.Event()

    def score(self, pairs: Sequence[Pair], **options: Any) -> Iterator[ScoredPair]:
        self.began.set()
        while not options["cancel"].cancelled:
            time.sleep(0.001)
        self.ended.set()
        raise CancelledError("the call was cancelled")


def test_a_call_ends_when_nobody_waits_for_it_any_more() -> None:
    async def cancel_one_after_the_other() -> None:
        held, endless = Recorder(), Endless()
        scheduler = Scheduler()
        scheduler.start()
        scheduler.add(job(held, "first", joins=False))
        jobs = [job(cast("Recorder", endless), name) for name in ("a", "b")]
        for one in jobs:
            scheduler.add(one)
        held.may.set()
        assert await asyncio.to_thread(endless.began.wait, 30)
        scheduler.cancel(jobs[0])
        assert not await asyncio.to_thread(endless.ended.wait, 0.1)
        scheduler.cancel(jobs[1])
        assert await asyncio.to_thread(endless.ended.wait, 30)
        assert not any(one.future.done() for one in jobs)
        scheduler.add(last := job(held, "last"))  # the scheduler goes on
        await last.future
        scheduler.close()

    asyncio.run(cancel_one_after_the_other())


def test_closing_ends_the_call_that_runs() -> None:
    async def close() -> None:
        endless, scheduler = Endless(), Scheduler()
        scheduler.start()
        scheduler.add(job(cast("Recorder", endless), "a"))
        assert await asyncio.to_thread(endless.began.wait, 30)
        scheduler.close()
        assert endless.ended.is_set()

    asyncio.run(close())
