"""What is seen of one request while it is served: the source of log lines, metrics, headers."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, field

from edge_rerank.server.job import Job

_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")


@dataclass(eq=False, slots=True)
class Observation:
    """Filled in as a request goes on its way."""

    request_id: str
    method: str
    route: str
    begun: float = field(default_factory=time.monotonic)
    model: str | None = None
    documents: int = 0
    characters: int = 0
    tokens: int = 0
    queue_seconds: float = 0.0
    inference_seconds: float = 0.0
    failure: str | None = None
    texts: object = None
    """The request itself, where the log is to hold it."""

    @property
    def seconds(self) -> float:
        """Time since the request's head came."""
        return time.monotonic() - self.begun

    def took(self, job: Job) -> None:
        """Note what a job cost."""
        started = job.started or job.arrived
        self.tokens = sum(pair.tokens for pair in job.scored)
        self.queue_seconds = started - job.arrived
        self.inference_seconds = (job.ended or started) - started

    def headers(self) -> dict[str, str]:
        """Return the headers of an answer that say what it cost, as text-embeddings-inference."""
        return {
            "x-compute-type": "cpu",
            "x-compute-characters": str(self.characters),
            "x-compute-tokens": str(self.tokens),
            "x-total-time": str(_milliseconds(self.seconds)),
            "x-queue-time": str(_milliseconds(self.queue_seconds)),
            "x-inference-time": str(_milliseconds(self.inference_seconds)),
        }


def request_id(given: str | None) -> str:
    """Return the client's own id, if it is one that can stand in a log, or else a new one."""
    if given is not None and _ID.fullmatch(given):
        return given
    return uuid.uuid4().hex


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
