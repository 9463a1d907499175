"""The library in hosts that round upward, handle signals, fork, or may use few processors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_rerank.artifact.folder import Artifact
from edge_rerank.machine.threads import usable_threads
from edge_rerank.native_library import Library
from edge_rerank.tokenizing.native import NativeTokenizer
from native.fuzz.seeds import TINY, write_artifact
from tests.native.calls import opened, random_pairs, score
from tests.support.floats import (
    DENORMALS_ARE_ZERO,
    FLUSH,
    MODES,
    ON_X86_LINUX,
    Change,
    control,
    environment,
    flushing,
    rounding,
)

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
CHANGES = {mode: rounding(mode) for mode in MODES}
CHANGES["flushing"] = flushing(FLUSH | DENORMALS_ARE_ZERO)


def run(script: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@ON_X86_LINUX
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", ["plain-int8", "plain-fp32"])
def test_the_same_bits_in_any_floating_point_environment(
    library: Library, tmp_path: Path, change: Change, threads: int, shape: str
) -> None:
    folder = write_artifact(tmp_path / "model", TINY[shape])
    pairs = random_pairs(30, TINY[shape].vocab_size, TINY[shape].max_length)
    with opened(library, folder, threads=threads) as engine:
        expected = score(library, engine, pairs)
    with opened(library, folder, threads=threads) as engine:
        score(library, engine, pairs)
        with environment(change):
            before = control()
            changed_later = score(library, engine, pairs)
            with opened(library, folder, threads=threads) as other:
                changed_before = score(library, other, pairs)
            assert control() & ~0x3F == before & ~0x3F  # but for flags that ctypes may raise
    np.testing.assert_array_equal(changed_later, expected)
    np.testing.assert_array_equal(changed_before, expected)


@ON_X86_LINUX
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_built_in_model_in_any_floating_point_environment(
    library: Library, builtin: Artifact, change: Change
) -> None:
    def logits() -> list[int]:
        tokenizer = NativeTokenizer(builtin.file("tokenizer.json"), max_length=512)
        batch = tokenizer.encode([("how plants eat", "plants eat light " * n) for n in (1, 9, 90)])
        pairs = np.split(batch.ids, batch.offsets[1:-1])
        with opened(library, builtin.path, threads=2) as engine:
            return [*score(library, engine, pairs).tolist(), *batch.ids.tolist()]

    expected = logits()
    with environment(change):
        found = logits()
    assert found == expected


@ON_LINUX
def test_threads_take_none_of_the_host_s_signals(library: Library, builtin: Artifact) -> None:
    tasks = Path("/proc/self/task")
    before, mask = set(tasks.iterdir()), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with opened(library, builtin.path, threads=3):
        for task in set(tasks.iterdir()) - before:
            (line,) = (
                line for line in (task / "status").read_text().splitlines() if "SigBlk" in line
            )
            blocked = int(line.split()[1], 16)
            taken = {number for number in signal.valid_signals() if not blocked >> number - 1 & 1}
            assert taken <= {
                *(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP),
                *(signal.SIGABRT, signal.SIGSYS, signal.SIGKILL, signal.SIGSTOP),
            }
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask  # the caller's is as it was


_FORKED = """
import ctypes, os, sys
from pathlib import Path
from edge_rerank.native_library import Info, load_library
from tests.native.calls import options

library = load_library()
functions = library._functions
engine = library.open(os.fsencode(sys.argv[1]), options(threads=int(sys.argv[2])))
ids, first = (ctypes.c_int32 * 2)(1, 2), (ctypes.c_int32 * 1)(1)
offsets, logits = (ctypes.c_int64 * 2)(0, 2), (ctypes.c_float * 1)(7.0)

def call():
    info = Info(size=ctypes.sizeof(Info))
    yield functions["score"](engine, ids, offsets, first, 1, logits)
    yield functions["score"](engine, None, None, None, 0, None)
    yield functions["describe"](engine, ctypes.byref(info))

def show(who):
    print(who, *call(), functions["last_error"]().decode(), flush=True)
    functions["close"](engine)

before = functions["last_error"]()
child = os.fork()
if child == 0:
    show("child")
    print(logits[0], flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
show("parent")
"""


@ON_LINUX
@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_forked_process_gets_errors_and_can_close(
    library: Library, tmp_path: Path, threads: str
) -> None:
    folder = write_artifact(tmp_path / "model", TINY["plain-int8"])
    child, untouched, parent = run(_FORKED, str(folder), threads).splitlines()
    assert child.startswith("child 7 7 7 the engine was opened in process ")
    assert "forked from it" in child
    assert untouched == "7.0"
    assert parent.startswith("parent 0 0 0 ")


_THREADS = """
import os, sys
from edge_rerank.native_library import load_library
from tests.native.calls import opened

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
library = load_library()
with opened(library, os.path.join(sys.argv[1])) as engine:
    print(library.describe(engine).threads)
"""


@ON_LINUX
def test_threads_0_are_those_that_may_run(library: Library, tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "model", TINY["plain-int8"])
    with opened(library, folder) as engine:
        assert library.describe(engine).threads == usable_threads()
    assert run(_THREADS, str(folder)) == "1\n"


_KERNEL = """
import os, sys
from edge_rerank.native_library import load_library
from tests.native.calls import opened

library = load_library()
for _ in range(3):
    with opened(library, sys.argv[1]) as engine:
        print(library.describe(engine).kernel.decode())
    os.environ["EDGE_RERANK_KERNEL"] = library.kernels[0]
"""


def test_the_environment_is_read_once(library: Library, tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "model", TINY["plain-int8"])
    fastest = f"{library.kernels[0]}\n" * 3
    assert run(_KERNEL, str(folder), EDGE_RERANK_KERNEL="auto") == fastest
    assert run(_KERNEL, str(folder), EDGE_RERANK_KERNEL="scalar") == "scalar\n" * 3
