"""Never a network call: what every command asks of the system, with both engines, for a minute."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from importlib.util import find_spec

import pytest

from edge_rerank.engines.onnx.runtime import import_onnxruntime
from tests.native.conftest import missing
from tests.support.checkpoints import write_tiny_checkpoint
from tests.support.documents import write_inputs
from tests.support.watching import Seen, Watched, why_not

pytestmark = pytest.mark.slow
SECONDS = 60
QUERY, TEXTS = "how do plants eat", ("Leaves turn light into sugar.", "Steel bridges rust.")
COMMANDS: dict[str, tuple[str, ...]] = {
    "rank": ("rank", QUERY, *TEXTS),
    "score": ("score", "--input", "pairs.jsonl", "--output", "scored.jsonl"),
    "info": ("info",),
    "verify": ("verify",),
    "bench": ("bench", "--seconds", "1"),
    "compare": ("compare", "--collection", "scifact"),
}
RUNS = {
    f"{name} {engine}": (*words, "--engine", engine)
    for name, words in COMMANDS.items()
    for engine in ("native", "onnxruntime")
}
SERVERS = {f"serve {engine}": engine for engine in ("native", "onnxruntime")}
# What a command must not mind: a home that takes no file, not even from root, and none at all.
HOMES = {"read-only": "/proc", "missing": "/nonexistent"}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Run all side by side: they wait most of the time."""
    reason = why_not()
    if reason is not None:
        missing(reason)
    running = {}
    ports: dict[str, socket.socket] = {}

    def start(name: str, *words: str, **variables: str) -> None:
        folder = tmp_path_factory.mktemp("run")
        write_inputs(folder)
        running[name] = Watched(folder, words, seconds=SECONDS, **variables)

    for name, words in RUNS.items():
        start(name, *words)
    for name, home in HOMES.items():
        start(name, *RUNS["rank onnxruntime"], HOME=home)
    start("telemetry allowed", *RUNS["rank onnxruntime"], ORT_DISABLE_TELEMETRY="0")
    if has_exporter():
        checkpoint = write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")
        start("export", "export", str(checkpoint), "--output", "model", "--allow-poor-parity")
    if has_server():
        for name, engine in SERVERS.items():
            ports[name] = free_port()
            number = str(ports[name].getsockname()[1])
            start(name, "serve", "--port", number, "--engine", engine)
    try:
        for port in ports.values():
            ask(port)
        ended = {name: watched.end() for name, watched in running.items() if name not in ports}
        for port in ports.values():  # servers have run for as long as all others
            ask(port)
    finally:
        for name, port in ports.items():
            running[name].terminate()
            port.close()
    return ended | {name: running[name].end() for name in ports}


def has_server() -> bool:
    return find_spec("uvicorn") is not None and find_spec("starlette") is not None


def free_port() -> socket.socket:
    """Return a socket that keeps a free port from others; a server can listen there beside it."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept


def ask(port: socket.socket) -> None:
    """Ask a server for scores, its pages and its description, as soon as it is there."""
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(port.getsockname()).close()
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)
    link = http.client.HTTPConnection("127.0.0.1", port.getsockname()[1], timeout=120)
    body = json.dumps({"query": QUERY, "documents": TEXTS, "max_chunks_per_doc": 2})
    link.request("POST", "/v2/rerank", body, {"content-type": "application/json"})
    assert len(json.load(link.getresponse())["results"]) == len(TEXTS)
    for path in ("/", "/docs", "/info", "/openapi.json", "/metrics"):
        link.request("GET", path, headers={"accept": "text/html"})
        answer = link.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
    link.close()


def has_exporter() -> bool:
    return find_spec("torch") is not None and find_spec("optimum") is not None


@pytest.mark.parametrize("name", [*RUNS, *SERVERS, *HOMES, "export"])
def test_no_host_is_turned_to(seen: dict[str, Seen], name: str) -> None:
    if name not in seen:
        pytest.skip("what it needs is not installed")
    assert seen[name].code == 0, seen[name].err
    assert not seen[name].outward


@pytest.mark.parametrize("name", [*RUNS, *SERVERS, "export"])
def test_nothing_is_left_in_the_home(seen: dict[str, Seen], name: str) -> None:
    if name not in seen:
        pytest.skip("what it needs is not installed")
    assert not seen[name].left


@pytest.mark.parametrize("name", HOMES)
def test_no_home_is_no_reason_to_complain(seen: dict[str, Seen], name: str) -> None:
    assert seen[name].err == ""


def test_the_watch_sees_a_call(seen: dict[str, Seen]) -> None:
    release = str(import_onnxruntime("a test").__version__).split(".")
    if sys.platform != "linux" or tuple(map(int, release[:2])) < (1, 29):
        pytest.skip("this onnxruntime does not call home")
    assert seen["telemetry allowed"].code == 0
    assert seen["telemetry allowed"].outward
    assert seen["telemetry allowed"].left
