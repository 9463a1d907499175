"""Connections with bounds: uvicorn's, and what it leaves open to clients who never finish.

A head that does not arrive, an answer that is not read, and one connection too many each end the
connection; and what is not HTTP is answered in JSON, like everything else.
"""

from __future__ import annotations

import asyncio
import json
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_rerank.server.settings import Limits


class Connection(H11Protocol):
    """One connection; a subclass says the limits."""

    bounds = Limits()
    _head: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        _send_at_once(transport)
        if len(self.connections) > self.bounds.connections:
            message = "too many connections; try again"
            transport.write(_answer(b"503 Service Unavailable", "OVERLOADED", message))
            transport.close()
            return
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes, which must make a head in time."""
        super().data_received(data)
        if not self._busy() and self.timeout_keep_alive_task is None:
            self._expect_head()

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.bounds.head_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client has read on."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        super().connection_lost(exc)
        if self._head is not None:
            self._head.cancel()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP in JSON, and close."""
        message = "this is not an HTTP/1.1 request"
        self.transport.write(_answer(b"400 Bad Request", "MALFORMED_REQUEST", message))
        self.transport.close()

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(self.bounds.head_seconds, self._check_head)

    def _check_head(self) -> None:
        self._head = None
        if not self._busy() and self.timeout_keep_alive_task is None:
            self.transport.close()


def _send_at_once(transport: asyncio.Transport) -> None:
    """Send each part as it comes: waiting for more costs 40 milliseconds an answer.

    asyncio does so for sockets that it has made itself, and ours it was given.
    """
    link = transport.get_extra_info("socket")
    if link is not None and link.family in (socket.AF_INET, socket.AF_INET6):
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _answer(status: bytes, code: str, message: str) -> bytes:
    errors = {"error": message, "error_type": "Validation"}
    body = json.dumps({**errors, "message": message, "detail": message, "code": code}).encode()
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    return head % (status, len(body)) + b"retry-after: 1\r\nconnection: close\r\n\r\n" + body
