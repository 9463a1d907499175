"""Requests share the engine: each call takes a piece of all that wait, in order of arrival.

A call takes about a tenth of a second, and a short request is done after one or two of them,
however long the others are. Pieces of several requests are scored together, since a pair's score
is the same bits in any company; where an engine does not promise that, requests take turns.

The native engine shares itself among callers as well; but what is shared here is the tokenizer's
work too, with any engine, on one thread however many requests wait, and their speed is known.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_rerank.ending import CancelToken
from edge_rerank.errors import CancelledError
from edge_rerank.pairs import Pair
from edge_rerank.results import ScoredPair
from edge_rerank.server.job import CutError, Job

_CALL_SECONDS = 0.1
_LEAST_TOKENS, _MOST_TOKENS = 4096, 16_384
_SMOOTHING = 0.2  # of the newest piece, in the average speed
_FIRST_SPEED = 20_000.0  # tokens a second, until there is a measurement
_MOST_RETRY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the engine, as the metrics see it."""

    requests: int
    pairs: int
    tokens: int
    seconds: float


class Scheduler:
    """Runs jobs on a thread of its own, one call of the engine at a time."""

    def __init__(self, watch: Callable[[Call], None] = lambda call: None) -> None:
        """``watch`` is told of each call, on the scheduler's thread."""
        self._watch = watch
        self._turns: deque[Job] = deque()
        self._jobs: set[Job] = set()
        """Those that wait or run."""
        self._called: list[Job] = []
        """Those whose pieces the engine has, and what ends its call."""
        self._token = CancelToken()
        self._state = threading.Condition()
        self._closed = False
        self._speed = _FIRST_SPEED
        self._thread = threading.Thread(target=self._run, name="edge-rerank-scheduler", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def add(self, job: Job) -> None:
        """Put a job behind all that wait."""
        with self._state:
            self._jobs.add(job)
            self._turns.append(job)
            self._state.notify()

    def cancel(self, job: Job) -> None:
        """Drop what is left of a job, and end the call that runs where it is nobody else's."""
        job.cancelled = True
        with self._state:
            self._jobs.discard(job)
            if self._called and all(other.cancelled for other in self._called):
                self._token.cancel()

    def waiting(self) -> int:
        """Count the jobs that wait for a turn."""
        return len(self._turns)

    def retry_after(self) -> int:
        """Estimate the whole seconds until the shortest of the requests that run has been done."""
        with self._state:
            tokens = min((job.tokens_left for job in self._jobs), default=0) * len(self._jobs)
        return max(1, min(_MOST_RETRY_SECONDS, math.ceil(tokens / self._speed)))

    def close(self) -> None:
        """End the thread, and the call that runs; jobs that still wait are never told."""
        with self._state:
            self._closed = True
            self._token.cancel()
            self._state.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._state:
                while not self._turns and not self._closed:
                    self._state.wait()
                if self._closed:
                    return
                taken = self._take()
            if taken:
                self._call(taken)
                with self._state:
                    self._called = []

    def _take(self) -> list[tuple[Job, Sequence[Pair]]]:
        """Take a share for each job that may be in the same call, as far as there is room."""
        waiting = [job for job in self._turns if not job.cancelled]
        company = [job for job in waiting if job.joins and job.reranker is waiting[0].reranker]
        if waiting and not waiting[0].joins:
            company = waiting[:1]
        room = int(min(max(self._speed * _CALL_SECONDS, _LEAST_TOKENS), _MOST_TOKENS))
        taken: dict[Job, Sequence[Pair]] = {}
        for place, job in enumerate(company):
            if room <= 0:
                break
            share = room // (len(company) - place)  # what others leave is for those behind them
            taken[job], used = job.piece(share, job.reranker.max_length)
            room -= used
        self._turns = deque(job for job in waiting if job not in taken)
        return list(taken.items())

    def _call(self, taken: list[tuple[Job, Sequence[Pair]]]) -> None:
        begin = time.monotonic()
        for job, _ in taken:
            job.started = job.started or begin
        pairs = [pair for _, piece in taken for pair in piece]
        token = self._begin([job for job, _ in taken])
        score = taken[0][0].reranker.score
        try:
            scored = list(score(pairs, scores="sigmoid", at_a_time=len(pairs), cancel=token))
        except CancelledError:
            return  # nobody waits for it any more
        except BaseException as error:
            self._failed(taken, error)
            return
        seconds = time.monotonic() - begin
        tokens = sum(pair.tokens for pair in scored)
        self._speed += (tokens / max(seconds, 1e-6) - self._speed) * _SMOOTHING
        self._watch(Call(len(taken), len(pairs), tokens, seconds))
        place = 0
        for job, piece in taken:
            self._give(job, scored[place : place + len(piece)])
            place += len(piece)

    def _begin(self, jobs: list[Job]) -> CancelToken:
        """Return what ends the call of these jobs when all of them are cancelled."""
        with self._state:
            self._called, self._token = jobs, CancelToken()
            if self._closed or all(job.cancelled for job in jobs):
                self._token.cancel()
            return self._token

    def _failed(self, taken: list[tuple[Job, Sequence[Pair]]], error: BaseException) -> None:
        """Run each alone, where one job's failure must not be its neighbours'."""
        if len(taken) == 1:
            self._settle(taken[0][0], error)
            return
        for one in taken:
            self._call([one])

    def _give(self, job: Job, scored: Sequence[ScoredPair]) -> None:
        try:
            job.add(scored)
        except CutError as error:
            self._settle(job, error)
            return
        if not job.left:
            self._settle(job, None)
            return
        with self._state:
            self._turns.append(job)

    def _settle(self, job: Job, error: BaseException | None) -> None:
        with self._state:
            self._jobs.discard(job)
        job.settle(error)
