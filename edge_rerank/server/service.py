"""From a request that is understood to its outcome: model, admission, turns, deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_rerank.errors import EdgeRerankError
from edge_rerank.reranker import Reranker
from edge_rerank.server.admission import Admission, Hold
from edge_rerank.server.cutting import Cutter
from edge_rerank.server.errors import (
    ClientGoneError,
    InvalidError,
    LateError,
    ModelFailedError,
    StoppingError,
)
from edge_rerank.server.job import CutError, Job
from edge_rerank.server.log import Log
from edge_rerank.server.metrics import Metrics
from edge_rerank.server.models import Models
from edge_rerank.server.observation import Observation
from edge_rerank.server.scheduler import Scheduler
from edge_rerank.server.settings import ModelSource, Settings
from edge_rerank.server.shapes.work import Outcome, Work
from edge_rerank.server.windows import joined_all, plan_all, reading_of
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank.windows.counting import Counter
from edge_rerank.windows.options import Reading
from edge_rerank.windows.planning import Plan, Planner

Gone = Callable[[], Coroutine[Any, Any, None]]
"""Waits until the client has gone."""


@dataclass(frozen=True, slots=True)
class _Wait:
    gone: Gone
    deadline: float


class Service:
    """What the routes share."""

    def __init__(self, settings: Settings, log: Log, first: Reranker | None = None) -> None:
        """``first`` is the first model, where it has been loaded already."""
        self.settings = settings
        self.log = log
        self.metrics = Metrics()
        self.scheduler = Scheduler(self.metrics.called)
        self.admission = Admission(settings.limits, self.scheduler.retry_after)
        self.models = Models(settings.models, self._load)
        self._cutters: dict[Path, Cutter] = {}
        self._stop = asyncio.Event()
        if first is not None:
            self.models.put(settings.models[0].name, first)

    async def run(self, work: Work, hold: Hold, gone: Gone, seen: Observation) -> Outcome:
        """Score a request's pairs in its turn; raises what goes wrong with it."""
        wait = _Wait(gone, seen.begun + self.settings.limits.request_seconds)
        hold.count()
        name = self.models.choose(work.model)
        seen.model, seen.documents = name, len(work.pairs)
        try:
            async with self.models.use(name) as reranker:
                work = await self._cut(work, reranker)
                joins = (await self.models.facts(name)).engine.engine == "native"
                plans, how = await self._plan(work, reranker)
                pairs = [pair for plan in plans for pair in plan.pairs] if plans else work.pairs
                job = await self._score(replace(work, pairs=pairs), reranker, joins, wait)
        except CutError as error:
            raise InvalidError(
                f"text {error.index} does not fit whole into the model's "
                f"{(await self.models.facts(name)).max_length} tokens with its query, and the "
                "request forbids cutting it; shorten it, or allow truncation"
            ) from error
        except (EdgeRerankError, OSError, MemoryError) as error:
            if isinstance(error, _PASSED):
                raise
            self.log.trouble("model failed", error, model=name, id=seen.request_id)
            raise ModelFailedError("the model failed; the server's log says why") from error
        seen.took(job)
        scored = joined_all(plans, job.scored, how) if plans else job.scored
        return Outcome(seen.request_id, work.model or name, scored, int(time.time()))

    def stop(self, seconds: float) -> None:
        """Take no more requests, and end those that still wait after ``seconds``."""
        if not self.admission.stopping:
            self.admission.stopping = True
            asyncio.get_running_loop().call_later(seconds, self._stop.set)

    def close(self) -> None:
        """Free the models."""
        self.scheduler.close()
        self.models.close()

    def _load(self, source: ModelSource) -> Reranker:
        return Reranker.load(source.path, **self.settings.load)

    async def _score(self, work: Work, reranker: Reranker, joins: bool, wait: _Wait) -> Job:
        future = asyncio.get_running_loop().create_future()
        job = Job(reranker, work.pairs, work.cutting.refuse, joins, future)
        self.scheduler.add(job)
        gone, stop = asyncio.ensure_future(wait.gone()), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait(
                (future, gone, stop),
                timeout=max(0.0, wait.deadline - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if future.done():
                future.result()
                return job
            if gone.done():
                raise ClientGoneError("the client went away")
            if stop.done():
                raise StoppingError("the server is stopping")
            raise LateError("the request was not answered within the server's time; try again")
        finally:
            self.scheduler.cancel(job)
            gone.cancel()
            stop.cancel()

    async def _cut(self, work: Work, reranker: Reranker) -> Work:
        cutting = work.cutting
        if not (cutting.keep_end or cutting.query_tokens or cutting.document_tokens):
            return work
        cutter = await asyncio.to_thread(self._cutter, reranker)
        if not cutter.needed(cutting):
            return work
        pairs = await asyncio.to_thread(cutter.cut, list(work.pairs), cutting)
        return replace(work, pairs=pairs)

    async def _plan(self, work: Work, reranker: Reranker) -> tuple[list[Plan], Reading]:
        """Return the windows to read of each pair; no plans where pairs are read as they are."""
        how = reading_of(work, self.settings.reading)
        if how.as_they_are:
            return [], how
        counter = (await asyncio.to_thread(self._cutter, reranker)).counter
        most = self.settings.limits.documents
        return await asyncio.to_thread(plan_all, work, Planner(counter, how), most), how

    def _cutter(self, reranker: Reranker) -> Cutter:
        path = reranker.artifact.path
        if path not in self._cutters:
            tokenizer = PairTokenizer(
                reranker.artifact.file("tokenizer.json"),
                max_length=reranker.max_length,
                prompt=reranker.artifact.manifest.prompt,
            )
            self._cutters[path] = Cutter(Counter(tokenizer))
        return self._cutters[path]


_PASSED = (ClientGoneError, InvalidError, LateError, StoppingError)
