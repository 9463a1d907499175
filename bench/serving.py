"""What HTTP costs: ``edge-rerank serve`` beside direct calls, and beside other servers that run.

Run: python -m edge_rerank_bench.serving [--model DIR] [--peer NAME=PORT[,MODEL] ...]

Direct calls and one connection that is kept alive take turns with 10 passages of about 90 tokens;
then 32 clients ask for 10 or 100 of their own each, as fast as they are answered. The clients share
one thread and do not parse answers: on a small machine they take their time from the server.
"""

from __future__ import annotations

import argparse
import json
import re
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from edge_rerank import Reranker

QUERY = "how do plants make sugar of light and water"
CLIENTS, SECONDS, TURNS = 32, 6.0, 40
_WORDS = ("river", "water", "light", "plants", "sugar", "bridge", "steel", "heat", "wing", "house")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def passages(count: int, seed: int, words: int = 80) -> list[str]:
    """Return texts of about 90 tokens with the query."""
    random = Random(seed)
    return [" ".join(random.choices(_WORDS, k=words)) for _ in range(count)]


def request(documents: list[str], model: str) -> bytes:
    """Return a request as it goes over the wire."""
    body = json.dumps({"query": QUERY, "documents": documents, "model": model}).encode()
    head = "POST /rerank HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Link:
    """A connection that is kept alive."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = b""

    def ask(self, data: bytes) -> None:
        """Ask, and wait for the whole answer."""
        self.socket.sendall(data)
        while not self.answered():
            pass

    def answered(self) -> bool:
        """Read what has come; say whether the answer is whole."""
        more = self.socket.recv(1 << 20)
        if not more:
            raise ConnectionError(f"the server closed the connection: {self._got[:300]!r}")
        self._got += more
        head, end, body = self._got.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or length is None or len(body) < int(length[1]):
            return False
        if b" 200 " not in head[:20]:
            raise ConnectionError(f"no answer but an error: {self._got[:300]!r}")
        self._got = b""
        return True


def times(call: Callable[[], object], least: int, seconds: float) -> list[float]:
    """Return the milliseconds of each call."""
    found: list[float] = []
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end or len(found) < least:
        call()
        found.append((time.perf_counter() - begun) * 1000)
    return found


def throughput(port: int, each: int, rounds: int, model: str) -> float:
    """Return the passages a second of all clients together, each of which asks ``rounds`` times."""
    # Texts that clients share would be scored once for all who wait at the same time.
    clients = [(Link(port), request(passages(each, 10 + seed), model)) for seed in range(CLIENTS)]
    begun, left = time.perf_counter(), dict.fromkeys(range(CLIENTS), rounds)
    with selectors.DefaultSelector() as selector:
        for at, (link, data) in enumerate(clients):
            selector.register(link.socket, selectors.EVENT_READ, at)
            link.socket.sendall(data)
        # From the first request to the last answer: clients that are served in turns are answered
        # in bunches, and a time that begins or ends within one says nothing.
        while any(left.values()):
            for key, _ in selector.select(60):
                link, data = clients[key.data]
                try:
                    done = link.answered()
                except ConnectionError:  # some servers close kept connections under load: ask again
                    selector.unregister(link.socket)
                    clients[key.data] = (again := Link(port)), data
                    selector.register(again.socket, selectors.EVENT_READ, key.data)
                    again.socket.sendall(data)
                    continue
                if done:
                    left[key.data] -= 1
                    if left[key.data]:
                        link.socket.sendall(data)
    took = time.perf_counter() - begun
    for link, _ in clients:
        link.socket.close()
    return each * rounds * CLIENTS / took


@contextmanager
def serving(model: str | None) -> Iterator[int]:
    """Start the server, and yield its port."""
    chosen = [] if model is None else ["--model", model]
    command = [sys.executable, "-m", "edge_rerank", "serve", "--port", "0", "--no-log", *chosen]
    begun = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        print(f"{line.strip()}, ready after {time.perf_counter() - begun:.2f} s")
        try:
            yield int(re.findall(r":(\d+) with", line)[0])
        finally:
            process.terminate()


def ask_server(name: str, port: int, model: str) -> None:
    """Print a server's figures."""
    few = request(passages(10, 1), model)
    link = Link(port)
    found = sorted(times(lambda: link.ask(few), 20, SECONDS))
    link.socket.close()
    print(f"{name}: 10 passages p50 {_at(found, 0.5)}, p99 {_at(found, 0.99)}", flush=True)
    for each, rounds in ((10, 10), (100, 2)):
        rate = throughput(port, each, rounds, model)
        print(f"{name}: {CLIENTS} clients with {each} passages: {rate:.0f} a second", flush=True)


def compared(model: str | None, port: int) -> None:
    """Print what direct calls take, what our server's answers take in turns with them."""
    few, many, data = passages(10, 1), passages(1000, 3), request(passages(10, 1), "any")
    link = Link(port)
    called: list[float] = []
    asked: list[float] = []
    with Reranker.load(model) as reranker:
        tokens = statistics.mean(one.tokens for one in reranker.rank(QUERY, few))
        for _ in range(TURNS):
            called += times(lambda: reranker.rank(QUERY, few, scores="sigmoid"), 10, 0.4)
            asked += times(lambda: link.ask(data), 10, 0.4)
        batches = times(lambda: reranker.rank(QUERY, many, scores="sigmoid"), 3, SECONDS)
    called.sort()
    asked.sort()
    print(
        f"direct calls: 10 passages of {tokens:.0f} tokens p50 {_at(called, 0.5)}, "
        f"p99 {_at(called, 0.99)}; "
        f"1,000 at a time {len(many) * 1000 / statistics.median(batches):.0f} passages/s\n"
        f"in turns with them, over HTTP: p50 {_at(asked, 0.5)}, p99 {_at(asked, 0.99)}",
        flush=True,
    )


def _at(found: list[float], share: float) -> str:
    return f"{found[int(len(found) * share)]:.2f} ms"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m edge_rerank_bench.serving")
    parser.add_argument("--model", help="model folder (default: the model that comes with it)")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PORT[,MODEL]")
    options = parser.parse_args()
    with serving(options.model) as port:
        compared(options.model, port)
        ask_server("edge-rerank serve", port, "any")
    for peer in options.peer:
        name, _, place = peer.partition("=")
        port, _, model = place.partition(",")
        ask_server(name, int(port), model or "any")


if __name__ == "__main__":
    main()
