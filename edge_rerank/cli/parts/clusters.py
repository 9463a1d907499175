"""Parts on the workers of Ray or Dask: where one dies, its part is scored again by another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from edge_rerank.cli.parts.job import RAY, Job, Outcome, score_part_on_worker
from edge_rerank.cli.parts.plan import Part
from edge_rerank.errors import EngineError
from edge_rerank.installation import extra_library
from edge_rerank.machine.threads import usable_threads

_WAITING = 4  # parts for each worker that are sent before the first is back


class Cluster(Protocol):
    """Sends parts to workers."""

    slots: int
    """How many parts are scored at a time."""

    def submit(self, job: Job, part: Part) -> Any:
        """Send a part; return what is waited for."""

    def wait(self, sent: Sequence[Any]) -> Any:
        """Return one of these that is done."""

    def result(self, done: Any) -> Outcome:
        """Return what a worker said; raises what became of it where it said nothing."""


def outcomes(
    job: Job, parts: Sequence[Part], name: str, address: str | None, workers: int | None
) -> Iterator[Outcome]:
    """Yield what becomes of the parts, in the order in which they are finished."""
    threads = job.loading.threads
    each = threads if isinstance(threads, int) else 1
    count = workers or max(1, usable_threads() // each)
    open_cluster = _ray if name == RAY else _dask
    with open_cluster(address, count, each) as cluster:
        yield from _all(cluster, job, parts)


def _all(cluster: Cluster, job: Job, parts: Sequence[Part]) -> Iterator[Outcome]:
    rest, sent = iter(parts), dict[Any, Part]()
    while True:
        while len(sent) < _WAITING * cluster.slots and (part := next(rest, None)) is not None:
            sent[cluster.submit(job, part)] = part
        if not sent:
            return
        done = cluster.wait(list(sent))
        part = sent.pop(done)
        try:
            outcome = cluster.result(done)
        except Exception as error:  # of the cluster's: a worker died too often, was out of memory
            reason = " ".join(str(error).split())[:300]
            failed = EngineError(f"{part.source}: no worker could finish it: {reason}")
            outcome = Outcome(part, error=failed)
        yield outcome


class _Ray:
    def __init__(self, ray: Any, threads: int) -> None:
        self._ray = ray
        self.slots = max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
        self._score = ray.remote(num_cpus=threads, max_retries=3)(score_part_on_worker)

    def submit(self, job: Job, part: Part) -> Any:
        return self._score.remote(job, part)

    def wait(self, sent: Sequence[Any]) -> Any:
        return self._ray.wait(list(sent), num_returns=1)[0][0]

    def result(self, done: Any) -> Outcome:
        found: Outcome = self._ray.get(done)
        return found


@contextmanager
def _ray(address: str | None, workers: int, threads: int) -> Iterator[Cluster]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it reports to its makers otherwise
    ray = extra_library("ray", "ray", "--cluster ray")
    where: dict[str, Any] = {"address": address or os.environ.get("RAY_ADDRESS") or "local"}
    if where["address"] == "local":
        where.update(num_cpus=workers * threads, include_dashboard=False)
    try:
        ray.init(**where, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise EngineError(f"Ray at {where['address']} cannot be had: {error}") from error
    try:
        yield _Ray(ray, threads)
    finally:
        ray.shutdown()


class _Dask:
    def __init__(self, client: Any, distributed: Any) -> None:
        self._client, self._distributed = client, distributed
        self.slots = max(1, len(client.nthreads()))

    def submit(self, job: Job, part: Part) -> Any:
        return self._client.submit(score_part_on_worker, job, part, pure=False)

    def wait(self, sent: Sequence[Any]) -> Any:
        done = self._distributed.wait(list(sent), return_when="FIRST_COMPLETED").done
        return next(one for one in sent if one in done)

    def result(self, done: Any) -> Outcome:
        found: Outcome = done.result()
        return found


@contextmanager
def _dask(address: str | None, workers: int, threads: int) -> Iterator[Cluster]:
    distributed = extra_library("distributed", "dask", "--cluster dask")
    where = address or os.environ.get("DASK_SCHEDULER_ADDRESS")
    with ExitStack() as stack:
        try:
            if where is None:
                where = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=workers, threads_per_worker=1, processes=True,
                        dashboard_address=None, silence_logs=50,
                    )
                )  # fmt: skip
            client = stack.enter_context(distributed.Client(where))
        except (OSError, ValueError) as error:
            raise EngineError(f"Dask at {where} cannot be had: {error}") from error
        yield _Dask(client, distributed)
