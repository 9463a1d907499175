"""A small stand-in for the hub on loopback, for the real huggingface_hub to talk to."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

_API = re.compile(r"/api/models/([\w.-]+/[\w.-]+)(?:/revision/(.+))?")
_FILE = re.compile(r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)")


@dataclass
class Hub:
    """What it has, what it does wrong, and what it was asked."""

    models: dict[str, Path] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    status: int | None = None
    """What every answer is, whatever was asked."""
    break_after: int | None = None
    """Bytes of a body after which the connection is cut, as long as there are ``breaks``."""
    breaks: int = 0
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and Range of each request."""
    url: str = ""

    def add(self, name: str, folder: Path) -> str:
        """Serve a folder under a name; returns its commit."""
        self.models[name] = folder
        self.commits[name] = hashlib.sha1(name.encode()).hexdigest()
        return self.commits[name]


@contextmanager
def running() -> Iterator[Hub]:
    """Run one until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(self.path.split("?")[0])
        self.hub.asked.append((self.command, path, self.headers.get("Range")))
        if self.hub.status is not None:
            self._fail(self.hub.status, "")
        elif match := _API.fullmatch(path):
            self._model(match[1], match[2])
        elif match := _FILE.fullmatch(path):
            self._file(match[1], match[2], match[3], body)
        else:
            self._fail(404, "RepoNotFound")

    def _refused(self, name: str, revision: str | None) -> bool:
        if name not in self.hub.models:
            self._fail(401, "RepoNotFound")  # so that nobody learns which private ones exist
        elif name in self.hub.gated and "Authorization" not in self.headers:
            self._fail(401, "GatedRepo")
        elif revision not in (None, "main", self.hub.commits[name]):
            self._fail(404, "RevisionNotFound")
        else:
            return False
        return True

    def _model(self, name: str, revision: str | None) -> None:
        if self._refused(name, revision):
            return
        files = [{"rfilename": path.name} for path in sorted(self.hub.models[name].iterdir())]
        value = {"id": name, "modelId": name, "sha": self.hub.commits[name], "siblings": files}
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _file(self, name: str, revision: str, file: str, body: bool) -> None:
        if self._refused(name, revision):
            return
        path = self.hub.models[name] / file
        if not path.is_file():
            self._fail(404, "EntryNotFound")
            return
        data = path.read_bytes()
        headers = {
            "X-Repo-Commit": self.hub.commits[name],
            "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            "Accept-Ranges": "bytes",
        }
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        status, start = (206, int(wanted[1])) if wanted else (200, 0)
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._send(status, data[start:], headers, body=body)

    def _fail(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code} if code else {})

    def _send(
        self, status: int, data: bytes, headers: dict[str, str], *, body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if not body or self.command == "HEAD":
            return
        most = self.hub.break_after
        if most is not None and self.hub.breaks > 0 and len(data) > most and status in (200, 206):
            self.hub.breaks -= 1
            self.wfile.write(data[:most])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(data)
