"""Where the system refuses new threads: what needs one says so, and one thread needs no other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_rerank.native_library import Library
from native.fuzz.seeds import TINY, write_artifact
from native.targets import Target

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD takes threads away")

# The answer is glibc's at the limit of processes, of a user or of a container.
_REFUSES = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

typedef int (*Create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
    static int count;
    if (++count > ALLOWED) {
        return EAGAIN;
    }
    return ((Create)dlsym(RTLD_NEXT, "pthread_create"))(thread, attributes, run, argument);
}
"""
_SCRIPT = """
import os, sys
from pathlib import Path
from edge_rerank.errors import EngineError
from edge_rerank.native_library import load_library
from tests.native.calls import opened, random_pairs, score
from tests.support.tasks import left_of, tasks

folder, threads = Path(sys.argv[1]), int(sys.argv[2])
library = load_library()
try:
    with opened(library, folder, threads=threads) as engine:
        print(score(library, engine, random_pairs(3, 8, 12)).tolist())
except EngineError as error:
    print(error)
left_of(tasks() - {str(os.getpid())})
print(len(tasks()))
"""


@pytest.fixture
def refusing(host: Target, tmp_path: Path) -> Callable[[int], Path]:
    """Return a function that builds a library to preload, which allows a number of threads."""

    def build(allowed: int) -> Path:
        source, built = tmp_path / "refuses.c", tmp_path / "refuses.so"
        source.write_text(_REFUSES, "utf-8")
        compiler = [sys.executable, "-m", "ziglang", "cc", "-target", host.triple]
        flags = ["-shared", "-fPIC", f"-DALLOWED={allowed}", "-ldl"]
        subprocess.run([*compiler, str(source), "-o", str(built), *flags], check=True)
        return built

    return build


def run(preload: Path, *arguments: str) -> list[str]:
    environment = {**os.environ, "LD_PRELOAD": str(preload), "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize(("threads", "allowed"), [(2, 0), (256, 0), (5, 2)])
def test_threads_that_cannot_be_started_are_said(
    library: Library, refusing: Callable[[int], Path], tmp_path: Path, threads: int, allowed: int
) -> None:
    folder = write_artifact(tmp_path / "model", TINY["plain-int8"])
    said, left = run(refusing(allowed), _SCRIPT, str(folder), str(threads))
    assert f"thread {allowed + 2} of {threads} cannot be started: " in said
    assert "ulimit -u, a container's pids limit" in said
    assert "ask for fewer threads: 1 needs no other" in said
    assert left == "1"  # those that were started have ended


def test_one_thread_needs_no_other(
    library: Library, refusing: Callable[[int], Path], tmp_path: Path
) -> None:
    folder = write_artifact(tmp_path / "model", TINY["plain-int8"])
    scores, left = run(refusing(0), _SCRIPT, str(folder), "1")
    assert scores.startswith("[")
    assert left == "1"
