"""What every request passes first and last: an id, the key, the unread body, the log line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_rerank.server.errors import SlowBodyError, UnauthorizedError
from edge_rerank.server.keys import Keyring
from edge_rerank.server.log import Log
from edge_rerank.server.observation import Observation, request_id
from edge_rerank.server.routes.answers import error_response
from edge_rerank.server.shapes import either
from edge_rerank.server.tracing import Tracing

_DISCARD_SECONDS = 10.0
_ABSOLUTE = re.compile(r"^https?://[^/]*", re.IGNORECASE)


class Front:
    """ASGI middleware around the routes."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keyring: Keyring,
        log: Log,
        paths: Iterable[str],
        open_paths: Iterable[str],
        discard_bytes: int,
    ) -> None:
        """``open_paths`` need no key; only ``paths`` are named in the log.

        Of the body of a refused request, ``discard_bytes`` are read before the answer, since many
        clients look for an answer only when they have sent everything.
        """
        self._app = app
        self._keyring = keyring
        self._log = log
        self._paths, self._open = frozenset(paths), frozenset(open_paths)
        self._discard_bytes = discard_bytes
        self._tracing = Tracing()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path = plain_path(scope["path"])
        scope["path"] = path
        seen = Observation(
            request_id=request_id(headers.get("x-request-id")),
            method=scope["method"],
            route=path if path in self._paths else "unknown",
        )
        scope["edge_rerank"] = seen
        exchange = _Exchange(receive, send, seen, headers, self._discard_bytes)
        app = self._app
        if path not in self._open and not self._keyring.admits(headers):
            app = _refusal(seen)
        with self._tracing.span(seen, headers) as span:
            try:
                await app(scope, exchange.receive, exchange.send)
            finally:
                span.end(exchange.status)
                self._log.request(seen, exchange.status)


def plain_path(path: str) -> str:
    """Return a path as the routes have it.

    Clients join addresses that end with a slash and paths that begin with one, and a request's
    target may be the whole address (RFC 9112, 3.2.2).
    """
    if path == "*":  # of OPTIONS
        return path
    named = _ABSOLUTE.sub("", path, count=1) if "://" in path else path
    return "/" + "/".join(part for part in named.split("/") if part)


class _Exchange:
    """One request's messages: notes the status, adds the id, reads what nobody else has read."""

    def __init__(
        self, receive: Receive, send: Send, seen: Observation, headers: Headers, most: int
    ) -> None:
        self.status = 0
        self._receive, self._send = receive, send
        self._seen, self._most = seen, most
        self._unread = "content-length" in headers or "transfer-encoding" in headers
        length = headers.get("content-length", "0")
        # A client that asks before it sends, or has far too much, is better told at once.
        self._discards = "expect" not in headers and not (length.isdecimal() and int(length) > most)

    async def receive(self) -> Message:
        """Pass on a message of the client's."""
        message = await self._receive()
        if not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        """Pass on a message of ours."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._seen.request_id
            if self._unread and not await self._discard():
                headers["connection"] = "close"
        await self._send(message)

    async def _discard(self) -> bool:
        """Read the rest of the body, within bounds; says whether that was all of it."""
        if not self._discards or self.status == SlowBodyError.status:
            return False
        try:
            await asyncio.wait_for(self._read_on(), _DISCARD_SECONDS)
        except asyncio.TimeoutError:
            return False
        return not self._unread

    async def _read_on(self) -> None:
        size = 0
        while self._unread and size <= self._most:
            size += len((await self.receive()).get("body", b""))


def _refusal(seen: Observation) -> ASGIApp:
    seen.failure = "auth"
    error = UnauthorizedError("a valid key is missing; send it as: Authorization: Bearer KEY")
    return error_response(error, either.error(error, seen.request_id))
