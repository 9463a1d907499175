"""An interrupt while a model loads ends the process as any other: no crash, no deadlock."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

_LOAD = """
import sys
from edge_rerank import Reranker
print("loading", flush=True)
Reranker.load(engine=sys.argv[1], threads=int(sys.argv[2])).close()
"""
_SECONDS, _MOST_SECONDS = 60.0, 300.0
_INTERRUPTS = 11  # at least: on a busy machine these take longer
_WITHIN = 0.35  # of the start of loading, which takes about as long


def interrupted(engine: str, threads: int, after: float) -> int | str:
    """Load in a process of its own, interrupt it, and return how it ended."""
    command = [sys.executable, "-c", _LOAD, engine, str(threads)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            return "deadlock"
    if process.returncode == 1:
        # Python itself may turn an interrupt into another error, inside an import of C code.
        return -signal.SIGINT if "KeyboardInterrupt" in said else said
    return process.returncode


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to another process")
@pytest.mark.parametrize("engine", ["onnxruntime", "native"])
def test_interrupts_end_in_an_interrupt(engine: str) -> None:
    rng, threads = random.Random(engine), min(2, os.cpu_count() or 1)
    ended: Counter[int | str] = Counter()
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < _SECONDS or (
        passed < _MOST_SECONDS and ended[-signal.SIGINT] < _INTERRUPTS
    ):
        ended[interrupted(engine, rng.randint(1, threads), rng.uniform(0, _WITHIN))] += 1
    print(ended)
    assert set(ended) <= {0, -signal.SIGINT}, ended
    assert ended[-signal.SIGINT] >= _INTERRUPTS
