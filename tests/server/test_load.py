"""Many clients at once, rude ones among them: no wrong bit, bounded waiting, nothing left."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import Reranker
from tests.server.running import Running, serving

WORDS = ["steel", "bridge", "river", "plant", "light", "water", "sugar", "heat", "wave", "wing"]


def texts(count: int, words: int, seed: int) -> list[str]:
    source = random.Random(seed)
    return [" ".join(source.choices(WORDS, k=words)) for _ in range(count)]


def raw(body: Any, *, keep: bool = True) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST /v1/rerank HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n"
    closing = "" if keep else "connection: close\r\n"
    return (head + closing + "content-type: application/json\r\n\r\n").encode() + data


SHORT = {"query": "q", "documents": ["a"]}
# Far more work than any test waits for: minutes of it, seconds on the fastest machine.
LONG = {"query": "q", "documents": [f"{place} {'a ' * 500}" for place in range(8000)]}


def gauge(server: Running, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", server.get("/metrics").body.decode(), re.M)
    assert found is not None
    return float(found[1])


def wait_until_idle(server: Running) -> None:
    for _ in range(600):
        held = ("edge_rerank_requests_held", "edge_rerank_request_bytes_held", "te_queue_size")
        if not any(gauge(server, name) for name in held):
            return
        time.sleep(0.05)
    pytest.fail("requests are still held")


def wait_until_held(server: Running, count: int) -> None:
    deadline = time.monotonic() + 60
    while gauge(server, "edge_rerank_requests_held") != count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_short_request_does_not_wait_for_a_long_one(server: Running) -> None:
    wait_until_idle(server)
    with server.connect() as link:
        link.sendall(raw(LONG))
        wait_until_held(server, 1)
        assert server.post("/v1/rerank", SHORT).status == 200
        assert gauge(server, "edge_rerank_requests_held") == 1  # the long one
    wait_until_idle(server)


def test_a_client_that_goes_away_cancels_its_work(server: Running) -> None:
    wait_until_idle(server)
    with server.connect() as link:
        link.sendall(raw(LONG))
        wait_until_held(server, 1)
    wait_until_idle(server)
    server.post("/v1/rerank", SHORT)  # when it is done, the call that was running is
    before = gauge(server, "te_batch_next_size_sum")
    server.post("/v1/rerank", SHORT)
    assert gauge(server, "te_batch_next_size_sum") == before + 1  # in no company
    assert any(line.get("failure") == "gone" for line in server.lines())


def test_more_than_may_wait_get_429_and_a_time() -> None:
    with serving("--max-waiting", "2") as server:
        with server.connect() as one, server.connect() as other:
            for link in (one, other):
                link.sendall(raw(LONG))
            wait_until_held(server, 2)
            refused = server.post("/v1/rerank", SHORT)
        assert refused.status == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json["code"] == "OVERLOADED"
        wait_until_idle(server)
        tei = {"query": "q", "texts": ["a"]}
        assert server.post("/rerank", tei).status == 200


def test_a_deadline() -> None:
    with serving("--timeout", "2") as server:
        answer = server.post("/v1/rerank", LONG)
        assert answer.status == 503
        assert answer.json["code"] == "DEADLINE_EXCEEDED"
        assert "retry-after" in answer.headers
        with server.connect() as link:  # a body that does not come
            link.sendall(b"POST /rerank HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
            assert link.makefile("rb").read().startswith(b"HTTP/1.1 408")


def test_pipelined_requests_are_answered_in_order(server: Running, direct: Reranker) -> None:
    with server.connect() as link:
        bodies = [{"query": "q", "documents": texts(2, 5, seed)} for seed in range(5)]
        last = raw(bodies[-1], keep=False)
        link.sendall(b"".join(raw(body) for body in bodies[:-1]) + last)
        answers = link.makefile("rb").read()
    found = [json.loads(part) for part in re.findall(rb'\{"id".*?\}\}\}', answers)]
    assert [pairs(answer) for answer in found] == [expected(direct, body) for body in bodies]


def pairs(answer: Any) -> list[tuple[int, float]]:
    return [(one["index"], one["relevance_score"]) for one in answer["results"]]


def expected(direct: Reranker, body: Any) -> list[tuple[int, float]]:
    ranked = direct.rank(body["query"], body["documents"], scores="sigmoid")
    return [(one.index, one.score) for one in ranked]


def test_slow_writers_are_served(server: Running) -> None:
    data = raw({"query": "q", "documents": ["a", "b"]}, keep=False)
    with server.connect() as link:
        for start in range(0, len(data), 7):
            link.sendall(data[start : start + 7])
            time.sleep(0.005)
        assert link.makefile("rb").read().startswith(b"HTTP/1.1 200")


def test_half_closed_and_dropped_connections_leave_nothing(server: Running) -> None:
    data = raw({"query": "q", "documents": texts(20, 40, 5)})
    for cut in (1, 30, len(data) // 2, len(data) - 1, len(data)):
        for how in ("half", "reset", "close"):
            link = server.connect()
            link.sendall(data[:cut])
            if how == "half":
                link.shutdown(socket.SHUT_WR)
                link.settimeout(20)
                link.makefile("rb").read()
            elif how == "reset":
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            link.close()
    wait_until_idle(server)
    assert server.get("/health").status == 200


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc says what the work was")
def test_it_is_ready_in_half_a_second() -> None:
    """As the clock says in one of five starts; or as its own work says, where others take turns.

    That may be 2.5 times the work of the imports right after it: 1 to 2 times is what was seen.
    """
    times: list[float] = []
    ratios: list[float] = []
    while len(times) < 5 and min(times, default=1.0) > 0.5 and min(ratios, default=9.0) > 2.5:
        begun = time.monotonic()
        with serving() as server:
            assert server.get("/health").status == 200
            times.append(time.monotonic() - begun)
            stat = Path(f"/proc/{server.process.pid}/stat").read_text("ascii")
            work = sum(map(int, stat.rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
        ratios.append(work / work_of_imports())
    print(f"ready after {min(times):.2f} s, with {min(ratios):.2f} times the work of the imports")
    assert min(times) <= 0.5 or min(ratios) <= 2.5


def work_of_imports() -> float:
    """Return the seconds of work for what a server cannot do without: a slow machine's are more."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = "import numpy, starlette.applications, uvicorn"
    subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.slow
def test_a_thousand_connections_at_once(direct: Reranker) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    try:
        with serving("--max-waiting", "2000", "--no-log") as server:
            bodies = [{"query": "plants", "documents": texts(1, 10, seed)} for seed in range(20)]
            right = [expected(direct, body) for body in bodies]
            links = [server.connect() for _ in range(1000)]
            for place, link in enumerate(links):
                link.sendall(raw(bodies[place % 20], keep=False))
            for place, link in enumerate(links):
                head, _, body = link.makefile("rb").read().partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), head
                assert pairs(json.loads(body)) == right[place % 20]
                link.close()
            wait_until_idle(server)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_one_connection_too_many_gets_json() -> None:
    with serving("--max-connections", "3") as server:
        links = [server.connect() for _ in range(3)]
        for link in links:
            link.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            assert link.recv(1000)
        with server.connect() as extra:
            answer = extra.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 503")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "OVERLOADED"
        for link in links:
            link.close()
        time.sleep(0.2)
        assert server.get("/health").status == 200


@pytest.mark.slow
def test_readers_who_never_read_do_not_stop_others(server: Running) -> None:
    body = {"query": "q", "documents": [f"{place} {'x' * 3000}" for place in range(900)]}
    data = raw({**body, "return_documents": True, "top_n": 900})
    before = server.resident()
    links = [server.connect() for _ in range(5)]
    for link in links:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.sendall(data)
    small = {"query": "q", "documents": ["a"]}
    for _ in range(20):
        assert server.post("/v1/rerank", small).status == 200
    for link in links:
        link.close()
    wait_until_idle(server)
    assert server.resident() - before < 200 << 20


_CLIENT = """
import json, sys, urllib.request
body = json.dumps({"query": "q", "documents": ["steel bridge over a river " * 20] * 5000}).encode()
headers = {"content-type": "application/json"}
urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/v1/rerank", body, headers)).read()
"""


@pytest.mark.slow
def test_clients_killed_in_mid_request_leave_nothing(server: Running) -> None:
    for _ in range(6):
        clients = [
            subprocess.Popen([sys.executable, "-c", _CLIENT, server.address]) for _ in range(3)
        ]
        deadline = time.monotonic() + 30
        while gauge(server, "edge_rerank_requests_held") < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        for client in clients:
            os.kill(client.pid, signal.SIGKILL)
            client.wait()
        wait_until_idle(server)


@pytest.mark.slow
def test_mixed_load_has_no_wrong_bit_and_flat_memory(direct: Reranker) -> None:
    """EDGE_RERANK_LOAD_SECONDS (60 by default) of 16 clients of many kinds."""
    seconds = float(os.environ.get("EDGE_RERANK_LOAD_SECONDS", "60"))
    shapes = [(1, 5), (3, 20), (10, 60), (40, 60), (100, 30), (2, 400)]
    bodies = [{"query": f"plants {n}", "documents": texts(n, w, n * w)} for n, w in shapes]
    right = [expected(direct, body) for body in bodies]
    times: dict[int, list[float]] = {place: [] for place in range(len(shapes))}
    wrong: list[Any] = []
    with serving("--no-log") as server:
        resident: list[int] = []
        end = time.monotonic() + seconds

        def client(seed: int) -> None:
            source = random.Random(seed)
            link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            while time.monotonic() < end:
                place = source.randrange(len(shapes))
                if source.random() < 0.05:  # goes away in mid-request
                    with server.connect() as rude:
                        rude.sendall(raw(bodies[place]))
                    continue
                begun = time.monotonic()
                data = json.dumps(bodies[place])
                link.request("POST", "/v1/rerank", data, {"content-type": "application/json"})
                answer = json.loads(link.getresponse().read())
                times[place].append(time.monotonic() - begun)
                if pairs(answer) != right[place]:
                    wrong.append(answer)

        threads = [threading.Thread(target=client, args=(seed,)) for seed in range(16)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(seconds / 12)
            resident.append(server.resident())
        wait_until_idle(server)
    assert not wrong
    early, late = (int(statistics.median(some)) for some in (resident[2:5], resident[-3:]))
    assert late - early < 16 << 20
    for place, (count, words) in enumerate(shapes):
        found = sorted(times[place])
        p50, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
        print(f"{count} x {words} words: {len(found)} requests, p50 {p50:.3f} s, p99 {p99:.3f} s")
    print(f"resident {early >> 20} to {late >> 20} MiB")


def test_parts_of_an_answer_do_not_wait_for_one_another(server: Running) -> None:
    """Over a connection that is kept, that would cost 40 ms each time."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    times = []
    for _ in range(40):
        begun = time.monotonic()
        link.request("GET", "/health")
        link.getresponse().read()
        times.append(time.monotonic() - begun)
    assert statistics.quantiles(times)[0] < 0.03  # other work may delay some of them


@pytest.mark.slow
def test_heads_that_never_come_and_answers_that_are_never_read_end() -> None:
    with serving("--idle-timeout", "1") as server:
        for start in (b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nhost: x\r\nx: "):
            with server.connect() as link:
                link.sendall(start)
                assert link.makefile("rb").read() == b""
        with server.connect() as link:  # the second request of a connection that is kept
            link.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            reader = link.makefile("rb")
            while not reader.readline().endswith(b"\r\n") or not reader.peek().startswith(b"{"):
                pass
            assert reader.read(15) == b'{"status":"ok"}'
            link.sendall(b"GET /heal")
            assert reader.read() == b""
        body = {"query": "q", "documents": ["x" * 1_000_000] * 20, "return_documents": True}
        files = open_files(server)
        with server.connect() as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.sendall(raw(body))
            while not any(line.get("documents") == 20 for line in server.lines()):
                time.sleep(0.05)
            deadline = time.monotonic() + 20
            while open_files(server) > files:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def open_files(server: Running) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))
