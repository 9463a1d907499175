"""Running the server: sockets, signals, and the end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from edge_rerank.errors import InputError
from edge_rerank.server.app import create_app
from edge_rerank.server.connection import Connection
from edge_rerank.server.log import LibraryHandler
from edge_rerank.server.service import Service

_BACKLOG = 2048
_TO_WRITE = 0.5  # seconds of the drain that are left for writing the last answers


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = 8080
    unix_socket: str | None = None
    certificate: str | None = None
    private_key: str | None = None

    def url(self, listening: socket.socket) -> str:
        """Return the address as it can be pasted."""
        if self.unix_socket is not None:
            return f"unix:{self.unix_socket}"
        host, port = listening.getsockname()[:2]
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def listen(address: Address) -> socket.socket:
    """Bind and listen; raises InputError for an address that cannot be had."""
    try:
        if address.unix_socket is not None:
            return _listen_unix(address.unix_socket)
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        where = address.unix_socket or f"{address.host} port {address.port}"
        raise InputError(f"cannot listen at {where}: {error}") from error


def serve(
    service: Service, address: Address, listening: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, answer what was taken, and return; also as process 1."""
    logging.getLogger("uvicorn").addHandler(LibraryHandler(service.log))
    limits = service.settings.limits
    protocol = type("Connection", (Connection,), {"bounds": limits})
    config = uvicorn.Config(
        create_app(service),
        http=protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(limits.drain_seconds)),
        ssl_certfile=address.certificate,
        ssl_keyfile=address.private_key,
    )
    try:
        config.load()
    except (OSError, ValueError) as error:
        raise InputError(f"the certificate or its key cannot be used: {error}") from error
    server = _Server(config, service, ready)
    # uvicorn has these handlers while it runs; at its end it puts back those before and raises the
    # signal again, which would end the process with the signal. Having drained is a success.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    try:
        server.run(sockets=[listening])
    finally:
        if address.unix_socket is not None:
            with suppress(OSError):
                os.unlink(address.unix_socket)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._service, self._ready = service, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.stop(max(0.1, self._service.settings.limits.drain_seconds - _TO_WRITE))
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # A second signal of either kind ends the waiting.
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)


def _listen_unix(path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no Unix sockets in Python")
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError("there is a file of this name that is no socket")
        _refuse_if_used(path)
        Path(path).unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o117)  # the user and the group may connect, nobody else
        try:
            listening.bind(path)
        finally:
            os.umask(before)
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _refuse_if_used(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return
    raise OSError("another process listens there")
