"""Keys, other sites' pages, TLS, Unix sockets, and what an error may say."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_rerank.errors import InputError
from edge_rerank.server.keys import Keyring, read_keys
from tests.server.running import Running, serving

BODY = {"query": "q", "documents": ["a"]}
OPEN = ["/health", "/ping", "/metrics", "/", "/openapi.json", "/docs"]
CLOSED = ["/info", "/v1/models"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text("# for the tests\nfirst-key-1\nsecond-key-2\n", "utf-8")
    context = serving(
        "--api-keys", str(file), "--cors-origin", "https://app.example",
        environment={"EDGE_RERANK_API_KEYS": "third-key-3 fourth-key-4"},
    )  # fmt: skip
    with context as running:
        yield running


@pytest.mark.parametrize("key", ["first-key-1", "second-key-2", "third-key-3", "fourth-key-4"])
@pytest.mark.parametrize("prefix", ["Bearer ", "bearer ", ""])
def test_each_key_lets_in(guarded: Running, key: str, prefix: str) -> None:
    assert guarded.post("/rerank", BODY, {"authorization": prefix + key}).status == 200


@pytest.mark.parametrize("value", [None, "", "Bearer ", "Bearer first-key", "Basic first-key-1"])
@pytest.mark.parametrize("path", ["/rerank", "/v2/rerank", "/score", "/predict"])
def test_without_a_key_nothing_is_scored(guarded: Running, path: str, value: str | None) -> None:
    answer = guarded.post(path, BODY, {} if value is None else {"authorization": value})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/json"
    assert "key" in answer.json["message"]


@pytest.mark.parametrize("path", ["//rerank", "/rerank/", "http://x/rerank", "/health/../rerank"])
def test_no_way_to_write_a_path_goes_past_the_key(guarded: Running, path: str) -> None:
    assert guarded.post(path, BODY).status == 401
    assert guarded.get("/info/").status == 401


def test_monitors_need_no_key(guarded: Running) -> None:
    assert [guarded.get(path).status for path in OPEN] == [200] * len(OPEN)
    assert [guarded.get(path).status for path in CLOSED] == [401] * len(CLOSED)
    described = guarded.get("/openapi.json").json
    assert described["paths"]["/rerank"]["post"]["security"] == [{"key": []}]


def test_keys_are_not_logged(guarded: Running) -> None:
    guarded.post("/rerank", BODY, {"authorization": "Bearer first-key-1"})
    guarded.post("/rerank", BODY, {"authorization": "Bearer wrong-key-9"})
    assert "-key-" not in "".join(guarded.log)


def test_pages_of_one_other_site_may_call(guarded: Running, server: Running) -> None:
    asked = {"access-control-request-method": "POST"}
    good = guarded.send("OPTIONS", "/rerank", None, {"origin": "https://app.example", **asked})
    assert good.headers["access-control-allow-origin"] == "https://app.example"
    refused = guarded.post("/rerank", BODY, {"origin": "https://app.example"})
    assert refused.status == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"
    for running, origin in ((guarded, "https://other.example"), (server, "https://app.example")):
        answer = running.send("OPTIONS", "/rerank", None, {"origin": origin, **asked})
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("text", "says"), [("", "holds no key"), ("short\n", "key 1"), ("ä" * 20, "key 1")]
)
def test_keys_that_are_none(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=says):
        read_keys(str(file))


def test_no_keys_let_everybody_in() -> None:
    assert Keyring(()).admits({})
    assert not Keyring(("a-long-key",)).admits({})


def test_errors_tell_nothing_of_the_machine(server: Running, tmp_path: Path) -> None:
    answers = [
        server.get("/nothing"),
        server.post("/rerank", b"{"),
        server.post("/rerank", {"query": "q", "documents": [{}]}),
        server.send("PUT", "/rerank"),
    ]
    for answer in answers:
        text = answer.body.decode() + str(answer.headers)
        for word in ("/work", "/home", "/usr", ".py", "uvicorn", "starlette", "Traceback", "0.1.0"):
            assert word not in text


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with serving("--unix-socket", str(path)) as server:
        assert server.address == f"unix:{path}"
        assert path.stat().st_mode & 0o007 == 0
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(path))
            link.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert link.makefile("rb").read().endswith(b'{"status":"ok"}')
        with (
            pytest.raises(AssertionError, match="another process listens there"),
            serving("--unix-socket", str(path)),
        ):
            pass
    assert not path.exists()


def test_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(
            [*command, *names, "-keyout", str(key), "-out", str(certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    with serving("--tls-certificate", str(certificate), "--tls-key", str(key)) as server:
        assert server.address.startswith("https://")
        context = ssl.create_default_context(cafile=str(certificate))
        with (
            server.connect() as link,
            context.wrap_socket(link, server_hostname="127.0.0.1") as safe,
        ):
            safe.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert safe.makefile("rb").read().endswith(b'{"status":"ok"}')
    with pytest.raises(AssertionError, match="certificate"), serving("--tls-certificate", str(key)):
        pass
