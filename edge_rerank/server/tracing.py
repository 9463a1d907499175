"""Spans for OpenTelemetry, where the user has installed and set it up; else nothing at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edge_rerank.server.observation import Observation


class Span:
    """What is told about a request; without OpenTelemetry, to nobody."""

    def __init__(self, seen: Observation, span: Any = None) -> None:
        self._seen, self._span = seen, span

    def end(self, status: int) -> None:
        """Note what the request was and how it ended; none of its text."""
        if self._span is None:
            return
        seen = self._seen
        self._span.set_attributes(
            {
                "http.request.method": seen.method,
                "http.route": seen.route,
                "http.response.status_code": status,
                "edge_rerank.request_id": seen.request_id,
                "edge_rerank.documents": seen.documents,
                "edge_rerank.tokens": seen.tokens,
                "edge_rerank.queue_seconds": seen.queue_seconds,
                "edge_rerank.inference_seconds": seen.inference_seconds,
                **({} if seen.model is None else {"edge_rerank.model": seen.model}),
            }
        )


class Tracing:
    """Makes spans."""

    def __init__(self) -> None:
        self._trace: Any = None
        # The interface alone gives spans that go nowhere; the SDK is what a user sets up.
        if find_spec("opentelemetry") is not None and _has("opentelemetry.sdk.trace"):
            self._trace = import_module("opentelemetry.trace")
            self._propagate: Any = import_module("opentelemetry.propagate")
            self._tracer = self._trace.get_tracer("edge_rerank.server")

    @contextmanager
    def span(self, seen: Observation, headers: Mapping[str, str]) -> Iterator[Span]:
        """Return a span around a request, a child of the caller's where there is one."""
        if self._trace is None:
            yield Span(seen)
            return
        context = self._propagate.extract(dict(headers))
        with self._tracer.start_as_current_span(
            f"{seen.method} {seen.route}", context=context, kind=self._trace.SpanKind.SERVER
        ) as span:
            yield Span(seen, span)


def _has(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
