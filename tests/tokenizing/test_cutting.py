"""Many texts are encoded in calls that an interrupt need not wait for long."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from edge_rerank.tokenizing.cutting import calls

LONG = 1 << 20


def parts(sizes: list[int], most: int) -> list[tuple[int, int]]:
    return [(some.start, some.stop) for some in calls(sizes, most)]


def test_cuts() -> None:
    assert parts([], 4) == [(0, 0)]
    assert parts([1, 1, 1, 1], 4) == [(0, 4)]
    assert parts([1, 1, 1, 1, 1], 4) == [(0, 4), (4, 5)]
    assert parts([LONG, 1, 1], 4) == [(0, 1), (1, 3)]
    assert parts([1, LONG, 3 * LONG, 1], 4) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert parts([LONG // 2] * 5, 9) == [(0, 2), (2, 4), (4, 5)]


_SCRIPT = """
import os, sys, time
os.environ["EDGE_RERANK_TOKENIZER"] = sys.argv[1]
from edge_rerank import Reranker
with Reranker.load() as reranker:
    documents = ["rivers flow in the boundary layer " * 15_000] * 400
    latest = time.monotonic() + 60
    try:
        print("ready", flush=True)
        while time.monotonic() < latest:
            reranker.rank("heat", documents)
        print("done")
    except KeyboardInterrupt:
        print(time.monotonic())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to another process")
@pytest.mark.parametrize("tokenizer", ["native", "tokenizers"])
def test_an_interrupt_while_long_texts_are_encoded(tokenizer: str) -> None:
    command = [sys.executable, "-c", _SCRIPT, tokenizer]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(1)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read().strip()
    assert said != "done", "the interrupt was not heard"
    assert float(said) - sent < 10  # 0.3 where nothing else runs; all of it takes 20 to 120
