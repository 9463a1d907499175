"""A real server in a process of its own, and a client that shows everything it got."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

JSON = {"content-type": "application/json"}
START_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    process: subprocess.Popen[str]
    address: str
    log: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            given = {**({} if body is None else JSON), **(headers or {})}
            connection.request(method, path, data, given)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("POST", path, body, headers)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("GET", path, None, headers)

    def lines(self) -> list[Any]:
        """Return the log's objects, those of all requests before this included."""
        mark = uuid.uuid4().hex
        self.get("/health", {"x-request-id": mark})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:  # the log comes through a pipe
            found = [json.loads(line) for line in list(self.log) if line.startswith("{")]
            if any(line.get("id") == mark for line in found):
                return [line for line in found if line.get("route") != "/health"]
            time.sleep(0.05)
        raise AssertionError("the log has ended")

    def resident(self) -> int:
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def serving(
    *options: str, environment: Mapping[str, str] | None = None, under: Sequence[str] = ()
) -> Iterator[Running]:
    """Start a server at any free port, by the command ``under`` if given, and end it by SIGTERM."""
    command = [*under, sys.executable, "-m", "edge_rerank", "serve", "--port", "0", *options]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stderr is not None
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    lines: list[str] = []
    try:
        running = None
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"serving .* at (\S+) with", line):
                running = Running(process, found[1], lines)
                break
        assert running is not None, "".join(lines)
        timer.cancel()
        reading = threading.Thread(target=_read_on, args=(process.stderr, lines), daemon=True)
        reading.start()
        yield running
    finally:
        timer.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read_on(stream: Any, lines: list[str]) -> None:
    lines.extend(stream)
