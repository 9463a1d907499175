"""Threads of loading: waited for through interrupts, and none where none is to be."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import EngineError, Reranker
from edge_rerank.loading.background import Background, Outcome


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    "interrupt",
    [
        pytest.param(
            interrupt,
            marks=pytest.mark.skipif(sys.platform == "win32", reason="ends its own process there"),
        ),
        # What a signal leaves behind that comes between two waits: nothing is woken by it.
        _thread.interrupt_main,
    ],
    ids=["signal", "missed"],
)
def test_what_runs_is_waited_for_after_an_interrupt(interrupt: Callable[[], None]) -> None:
    go, ended = threading.Event(), threading.Event()

    def act() -> int:
        go.wait(timeout=30)
        time.sleep(0.2)
        ended.set()
        return 7

    running = Background(act)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (a slow machine may be late to wait)
        threading.Timer(0.1, interrupt).start()
        running.result()
    assert not ended.is_set()
    go.set()
    freed: list[int] = []
    running.dismiss(freed.append)
    assert ended.is_set()
    assert freed == [7]


def test_outcomes_are_looked_at_later_but_interrupts_at_once() -> None:
    def fail() -> None:
        raise ValueError("7")

    for kind in (Outcome, Background):
        with pytest.raises(ValueError, match="7"):
            kind(fail).result()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Outcome(interrupt)
    with pytest.raises(KeyboardInterrupt):
        Background(interrupt).result()


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_one_thread_is_the_caller_s(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with Reranker.load(engine=engine, threads=1) as reranker:
        assert len(reranker.rank("how do plants eat", ["water"] * 300)) == 300
    with pytest.raises(EngineError, match=r"no thread can be started: .*\(threads\)"):
        Reranker.load(engine=engine, threads=2)


_NO_THREADS = """
#include <errno.h>
#include <pthread.h>
int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *with) {
    (void)thread; (void)how; (void)run; (void)with;
    return EAGAIN;
}
"""
_RANK = """
import os, sys
from edge_rerank import Reranker
with Reranker.load(engine=sys.argv[1], threads=1) as reranker:
    print(len(reranker.rank("how do plants eat", ["water", "steel"])))
print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.fixture(scope="module")
def no_threads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which the system makes no thread, as a limit of processes does."""
    pytest.importorskip("ziglang")
    if sys.platform != "linux":
        pytest.skip("preloads a library")
    folder = tmp_path_factory.mktemp("no-threads")
    (folder / "none.c").write_text(_NO_THREADS, "utf-8")
    command = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "none.c", "-o", "none.so"]
    subprocess.run(command, cwd=folder, check=True)
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}
    return {**environment, "LD_PRELOAD": str(folder / "none.so")}


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_no_thread_of_any_library_is_needed(no_threads: dict[str, str], engine: str) -> None:
    """Nor of the OpenBLAS in numpy, which interrupts the process where it gets none."""
    command = [sys.executable, "-c", _RANK, engine]
    done = subprocess.run(command, env=no_threads, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\nNone\n", "")


@pytest.mark.parametrize("command", [["rank", "a", "b", "c"], ["verify"], ["info"]])
def test_commands_need_none_either(
    no_threads: dict[str, str], command: list[str], tmp_path: Path
) -> None:
    start = [sys.executable, "-m", "edge_rerank", *command]
    for engine in ("native", "onnxruntime"):
        options = ["--threads", "1", "--engine", engine]
        done = subprocess.run(
            [*start, *options], env=no_threads, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(
        [*start, "--threads", "2"], env=no_threads, capture_output=True, text=True, check=False
    )
    if (os.cpu_count() or 1) > 1:
        assert done.returncode == 1
        assert "needs no other (--threads)" in done.stderr
