"""Starting, stopping, several models, and how little memory and time it takes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edge_rerank.artifact.builtin import builtin_model
from tests.server.running import Answer, Running, serving

LONG: dict[str, Any] = {"query": "q", "documents": ["a bridge of steel over a river " * 12] * 100}


def in_background(server: Running, body: Any) -> tuple[threading.Thread, list[Answer]]:
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(server.post("/v1/rerank", body)))
    thread.start()
    return thread, answers


def wait_for_work(server: Running, thread: threading.Thread) -> None:
    while b"edge_rerank_requests_held 0" in server.get("/metrics").body:
        assert thread.is_alive()
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_taken_is_answered_before_the_end(number: signal.Signals) -> None:
    with serving("--drain", "120") as server:
        thread, answers = in_background(server, {**LONG, "documents": LONG["documents"] * 20})
        wait_for_work(server, thread)
        server.process.send_signal(number)
        thread.join()
        assert len(answers[0].json["results"]) == 2000
        assert server.process.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_what_does_not_end_in_time_is_told_so() -> None:
    with serving("--drain", "0.6") as server:
        thread, answers = in_background(server, {**LONG, "documents": LONG["documents"] * 60})
        wait_for_work(server, thread)
        begun = time.monotonic()
        server.process.terminate()
        thread.join()
        assert server.process.wait(20) == 0
        assert time.monotonic() - begun < 10
        assert answers[0].status == 503
        assert answers[0].json["code"] == "STOPPING"
        assert answers[0].headers["retry-after"] == "1"


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs root on Linux")
def test_as_process_1() -> None:
    unshare = shutil.which("unshare")
    if (
        unshare is None
        or subprocess.run([unshare, "--pid", "--fork", "true"], check=False).returncode
    ):
        pytest.skip("no process namespace can be made here")
    command = [unshare, "--pid", "--fork", "--kill-child", sys.executable, "-m", "edge_rerank"]
    outer = subprocess.Popen(
        [*command, "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert outer.stderr is not None
    assert "serving" in outer.stderr.readline()
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text("ascii").split()
    os.kill(int(children[0]), signal.SIGTERM)
    assert outer.wait(20) == 0


def test_models_are_chosen_by_name_loaded_late_and_dropped(tmp_path: Path) -> None:
    folder = shutil.copytree(builtin_model(), tmp_path / "other")
    options = ("--model", f"small={builtin_model()}", "--model", f"late={folder}", "--keep", "5")
    with serving(*options) as server:
        names = [model["id"] for model in server.get("/v1/models").json["data"]]
        assert names == ["small", "late"]
        body = {"query": "q", "documents": ["a", "b"]}
        first = server.post("/v1/rerank", body).json
        assert first["model"] == "small"
        late = server.post("/v1/rerank", {**body, "model": "late"}).json
        assert late["results"] == first["results"]
        assert b"edge_rerank_models_loaded 2" in server.get("/metrics").body
        deadline = time.monotonic() + 60
        while b"edge_rerank_models_loaded 0" not in server.get("/metrics").body:
            assert time.monotonic() < deadline, "the models stay loaded"
            time.sleep(0.05)
        assert server.post("/v1/rerank", body).json["results"] == first["results"]
        shutil.rmtree(folder)
        failed = server.post("/v1/rerank", {**body, "model": "late"})
        assert failed.status == 424
        assert str(tmp_path) not in failed.body.decode()
        assert any(str(tmp_path) in line["message"] for line in server.lines() if "message" in line)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "/nowhere"], "nowhere"),
        (["--model", "a=/nowhere"], "nowhere"),
        (["--port", "70000"], "70000"),
        (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
        (["--max-waiting", "0"], "max-waiting"),
        (["--timeout", "-1"], "timeout"),
        (["--timeout", "nan"], "timeout"),
        (["--idle-timeout", "0"], "idle-timeout"),
        (["--keep", "-1"], "keep"),
        (["--api-keys", "/nowhere"], "keys"),
    ],
)
def test_bad_options(options: list[str], says: str) -> None:
    command = [sys.executable, "-m", "edge_rerank", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(AssertionError, match="cannot listen"), serving("--port", port):
            pass


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs root on Linux")
def test_on_a_read_only_system_without_home_as_anybody() -> None:
    """In namespaces: everything is read-only, and the user has no name and no rights."""
    inner = 'mount -o remount,ro,bind / && exec unshare --user --map-user=54321 env -u HOME "$@"'
    command = ["unshare", "--mount", "sh", "-c", inner, "sh"]
    try:
        tried = subprocess.run([*command, "touch", "/new"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no namespaces can be made here")
    if b"Read-only" not in tried.stderr:
        pytest.skip(f"no namespaces can be made here: {tried.stderr.decode()[-200:]}")
    with serving(under=command) as server:
        answer = server.post("/rerank", {"query": "q", "texts": ["a", "b"], "truncate": False})
        assert answer.status == 200
        assert [server.get(path).status for path in ("/", "/info", "/docs")] == [200] * 3
        server.process.terminate()
        assert server.process.wait(20) == 0


def test_the_command_starts_without_the_servers_libraries() -> None:
    program = (
        "import sys; sys.modules['uvicorn'] = sys.modules['starlette'] = None\n"
        "from edge_rerank.cli import main\n"
        "sys.exit(main(['serve']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "needs Starlette and uvicorn" in done.stderr
