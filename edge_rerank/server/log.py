"""Log lines: one JSON object each, on standard error, without the texts of requests."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from typing import IO, Any

from edge_rerank.server.observation import Observation


class Log:
    """Writes lines; a reader who has gone away ends the log, not the server."""

    def __init__(self, stream: IO[str] | None = None, *, requests: bool = True) -> None:
        """Write to ``stream``; None is standard error. ``requests``: a line for each of them."""
        self._stream = sys.stderr if stream is None else stream
        self._requests = requests

    def event(self, event: str, **facts: Any) -> None:
        """Write a line about the server itself."""
        self._write({"event": event, **facts})

    def trouble(self, event: str, error: BaseException, **facts: Any) -> None:
        """Write a line about an error that the client is not told in full."""
        self._write(
            {"level": "error", "event": event, **facts}
            | {"error": type(error).__name__, "message": str(error)}
        )

    def request(self, seen: Observation, status: int) -> None:
        """Write a line about a request that has been answered."""
        if not self._requests:
            return
        line: dict[str, Any] = {
            "event": "request",
            "id": seen.request_id,
            "method": seen.method,
            "route": seen.route,
            "status": status,
            "ms": round(seen.seconds * 1000, 2),
        }
        if seen.documents:
            line |= {
                "model": seen.model,
                "documents": seen.documents,
                "tokens": seen.tokens,
                "queue_ms": round(seen.queue_seconds * 1000, 2),
                "inference_ms": round(seen.inference_seconds * 1000, 2),
            }
        if seen.failure is not None:
            line["failure"] = seen.failure
        if seen.texts is not None:
            line["request"] = seen.texts
        self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        text = json.dumps({"time": now, "level": "info", **line})
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._requests = False


class LibraryHandler(logging.Handler):
    """Puts the warnings of the libraries underneath into the same log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; the library's message holds nothing of a request's body."""
        error = record.exc_info[1] if record.exc_info else None
        facts = {"level": record.levelname.lower(), "message": record.getMessage().split("\n")[0]}
        if error is not None:
            facts["error"] = type(error).__name__
        self._log.event(record.name, **facts)
