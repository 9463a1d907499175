"""Requests share the engine: cut into pieces that take turns, in order of arrival.

A piece takes about a tenth of a second, so a short request waits for a piece of each request
before it, and never for the whole of a long one. What room a piece leaves is filled with others
that wait for the same model: a pair's score is the same bits in any company.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_rerank.pairs import Pair
from edge_rerank.results import ScoredPair
from edge_rerank.server.job import CutError, Job

_PIECE_SECONDS = 0.08
_LEAST_TOKENS, _MOST_TOKENS = 2048, 16_384
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
            self._turns.append(job)
            self._state.notify()

    def cancel(self, job: Job) -> None:
        """Drop what is left of a job; the piece that runs comes to its end."""
        job.cancelled = True

    def waiting(self) -> int:
        """Count the jobs that wait for a turn."""
        return len(self._turns)

    def retry_after(self) -> int:
        """Estimate the whole seconds until what waits now has been done."""
        with self._state:
            pairs = sum(job.left for job in self._turns if not job.cancelled)
            sample = [job.piece(_LEAST_TOKENS, _LEAST_TOKENS) for job in list(self._turns)[:8]]
        known = sum(len(piece) for piece, _ in sample)
        tokens = sum(size for _, size in sample) / known * pairs if known else 0.0
        return max(1, min(_MOST_RETRY_SECONDS, math.ceil(tokens / self._speed)))

    def close(self) -> None:
        """End the thread when its call has come back; jobs that still wait are never told."""
        with self._state:
            self._closed = True
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

    def _take(self) -> list[tuple[Job, Sequence[Pair]]]:
        """Take the next job's piece, and whole jobs behind it as far as there is room."""
        room = int(min(max(self._speed * _PIECE_SECONDS, _LEAST_TOKENS), _MOST_TOKENS))
        taken: list[tuple[Job, Sequence[Pair]]] = []
        passed: list[Job] = []
        joins = True
        while self._turns and room > 0 and joins:
            job = self._turns.popleft()
            if job.cancelled:
                continue
            if taken and not (job.joins and job.reranker is taken[0][0].reranker):
                passed.append(job)
                continue
            piece, used = job.piece(room, job.reranker.max_length)
            if taken and (len(piece) < job.left or used > room):
                passed.append(job)
                break
            taken.append((job, piece))
            room -= used
            joins = job.joins
        self._turns.extendleft(reversed(passed))
        return taken

    def _call(self, taken: list[tuple[Job, Sequence[Pair]]]) -> None:
        begin = time.monotonic()
        for job, _ in taken:
            job.started = job.started or begin
        pairs = [pair for _, piece in taken for pair in piece]
        try:
            scored = list(taken[0][0].reranker.score(pairs, scores="sigmoid", at_a_time=len(pairs)))
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

    def _failed(self, taken: list[tuple[Job, Sequence[Pair]]], error: BaseException) -> None:
        """Run each alone, where one job's failure must not be its neighbours'."""
        if len(taken) == 1:
            taken[0][0].settle(error)
            return
        for one in taken:
            self._call([one])

    def _give(self, job: Job, scored: Sequence[ScoredPair]) -> None:
        try:
            job.add(scored)
        except CutError as error:
            job.settle(error)
            return
        if not job.left:
            job.settle(None)
            return
        with self._state:
            self._turns.append(job)
