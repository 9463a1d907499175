"""What is refused, in the words and with the status that each client knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.running import Running

BAD = [
    ({"query": "q"}, "documents"),
    ({"documents": ["a"]}, "query"),
    ({"query": "q", "documents": []}, "empty"),
    ({"query": "", "documents": ["a"]}, "empty"),
    ({"query": "q", "documents": None}, "list"),
    ({"query": "q", "documents": 123}, "list"),
    ({"query": "q", "documents": [1, 2, 3]}, "documents[0]"),
    ({"query": "q", "documents": ["a", None]}, "documents[1]"),
    ({"query": "q", "documents": [{"body": "a"}]}, "rank_fields"),
    ({"query": "q", "documents": ["\ud800"]}, "surrogate"),
    ({"query": 1, "documents": ["a"]}, "query"),
    ({"query": "q", "documents": ["a"], "top_n": -1}, "top_n"),
    ({"query": "q", "documents": ["a"], "top_n": 1.5}, "top_n"),
    ({"query": "q", "documents": ["a"], "top_n": True}, "top_n"),
    ({"query": "q", "documents": ["a"], "return_documents": "yes"}, "return_documents"),
    ({"query": "q", "documents": ["a"], "model": 3}, "model"),
    ({"query": "q", "documents": ["a"], "relevant_spans": True}, "relevant_spans"),
    ({"query": "q", "documents": ["a"], "relevant_spans": {"mode": "on"}}, "mode"),
    ({"query": "q", "documents": ["a"], "relevant_spans": {"threshold": "0.1"}}, "threshold"),
    ({"query": "q", "documents": ["a"], "relevant_spans": {"max_spans": -1}}, "max_spans"),
    (
        {"query": "q", "documents": ["a"], "relevant_spans": {}, "long_documents": "truncate"},
        "relevant_spans",
    ),
    ({"query": "q", "documents": ["a"], "long_documents": "chunks"}, "long_documents"),
    ({"query": "q", "documents": ["a"], "max_chunks_per_doc": 0}, "max_chunks_per_doc"),
    (
        {"query": "q", "documents": ["a"], "max_chunks_per_doc": 2, "truncation_side": "left"},
        "end is to be kept",
    ),
    (
        {"query": "q", "documents": ["a b. " * 900], "max_chunks_per_doc": 2, "truncation": False},
        "not read whole",
    ),
    ({"query": "q", "documents": ["a"] * 10_001}, "10000"),
    ({"query": "q" * 40_000, "documents": ["a"]}, "32768"),
]


@pytest.mark.parametrize(("body", "says"), BAD)
@pytest.mark.parametrize("path", ["/rerank", "/v2/rerank"])
def test_bad_documents(server: Running, path: str, body: Any, says: str) -> None:
    answer = server.post(path, body)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert says in answer.json["message"]
    assert answer.json["detail"] == answer.json["message"]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"query": "q", "texts": []}, 400, "Empty"),
        ({"query": "", "texts": ["a"]}, 400, "Empty"),
        ({"texts": ["a"]}, 422, "Validation"),
        ({"query": "q", "texts": "a"}, 422, "Validation"),
        ({"query": "q", "texts": [1]}, 422, "Validation"),
        ({"query": "q", "texts": ["a"] * 10_001}, 422, "Validation"),
        ({"query": "q", "texts": ["a"], "truncation_direction": "Up"}, 422, "Validation"),
    ],
)
def test_bad_texts(server: Running, body: Any, status: int, kind: str) -> None:
    answer = server.post("/rerank", body)
    assert answer.status == status
    assert set(answer.json) == {"error", "error_type"}
    assert answer.json["error_type"] == kind


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"query": NaN}', "NaN"),
        (b'{"query": "\xff"}', "UTF-8"),
        (b'{"query": Infinity}', "Infinity"),
        (b'{"query": "q", "documents": [{"text": "a", "n": 1e999}]}', "1e999"),
        (b'{"top_n": -1e999}', "-1e999"),
        (b"[" * 100_000, "deep"),
        (b'{"a":' * 100_000, "deep"),
        (b"[1]", "object"),
        (b'{"query": 1' + b"0" * 10_000 + b"}", "JSON"),
        ('{"query": "q"}'.encode("utf-16"), "UTF-8"),
    ],
)
@pytest.mark.parametrize("path", ["/rerank", "/score", "/predict"])
def test_what_is_no_json(server: Running, path: str, body: bytes, says: str) -> None:
    answer = server.post(path, body)
    assert answer.status == 400
    assert says in json.dumps(answer.json)


def test_other_media_types(server: Running) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = server.post("/rerank", b"{}", {"content-type": kind})
        assert answer.status == 415
        assert "application/json" in answer.json["message"]
    assert server.post("/rerank", b"{}", {"content-encoding": "gzip"}).status == 415
    fine = {"query": "q", "documents": ["a"]}
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/ld+json"):
        assert server.post("/rerank", fine, {"content-type": kind}).status == 200


def test_no_media_type_will_do_except_from_a_page(server: Running) -> None:
    """A page of another site can leave the type out without asking first."""
    body = b'\xef\xbb\xbf{"query": "q", "documents": ["a"], "documents": ["a", "b"]}'
    head = b"POST /rerank HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n"
    heads = {
        b"": b"200",
        b"content-type: \r\ncontent-encoding: \r\n": b"200",
        b"origin: http://site.test\r\n": b"415",
        b"origin: null\r\ncontent-type: \r\n": b"415",
    }
    for more, status in heads.items():
        with server.connect() as link:
            link.sendall(head % len(body) + more + b"\r\n" + body)
            assert link.makefile("rb").read().startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "QUERY", "TRACE"])
def test_other_methods(server: Running, method: str) -> None:
    answer = server.send(method, "/rerank")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json["code"] == "METHOD_NOT_ALLOWED"


PATHS = ["/rerank/", "//rerank", "/v1//rerank", "/v1/rerank/", "/%72erank", "/rerank?a=/b/"]


@pytest.mark.parametrize("path", [*PATHS, "http://localhost:8080/v1/rerank", "HTTP://x/rerank/"])
def test_addresses_joined_with_slashes_and_written_out(server: Running, path: str) -> None:
    body = {"query": "q", "documents": ["a"]}
    assert server.post(path, body).status == 200
    assert server.get(path).status == 405


@pytest.mark.parametrize(
    "path", ["/", "//", "/health/", "http://x", "http://x/", "http://x/health", "/ping//"]
)
def test_other_ways_to_write_what_monitors_ask(server: Running, path: str) -> None:
    assert server.get(path).json == {"status": "ok"}
    assert server.send("HEAD", path).status == 200


@pytest.mark.parametrize("path", ["/v1/../health", "/healthy", "/x/http://x/health", "*"])
def test_unknown_paths_stay_unknown(server: Running, path: str) -> None:
    assert server.send("OPTIONS", path).status == 404


def test_unknown_paths(server: Running) -> None:
    answer = server.get("/v1/nothing")
    assert answer.status == 404
    assert "edge_rerank" not in answer.body.decode()


def test_bodies_that_are_too_large(server: Running) -> None:
    answer = server.post("/v1/rerank", b" " * (33 << 20))
    assert answer.status == 413
    assert answer.json["code"] == "BODY_TOO_LARGE"


def test_a_gigabyte_is_refused_at_once(server: Running) -> None:
    with server.connect() as link:
        link.sendall(
            b"POST /rerank HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 1073741824\r\n\r\n"
        )
        answer = link.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer


def test_what_is_no_http_gets_json(server: Running) -> None:
    with server.connect() as link:
        link.sendall(b"hello\r\n\r\n")
        head, _, body = link.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["code"] == "MALFORMED_REQUEST"
