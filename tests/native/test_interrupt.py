"""An interrupt is acted on soon, however many tokens are being scored."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edge_rerank.artifact.folder import Artifact
from edge_rerank.engines.native import NativeEngine, _pieces
from edge_rerank.native_library import Library
from native.fuzz.seeds import XSMALL, write_artifact
from tests.support.batches import batch_of, random_rows

_LATEST = 10.0  # seconds; 0.2 on two idle cores, and the whole call takes minutes
_SCORE = """
import sys, time
import numpy as np
from dataclasses import replace
from pathlib import Path
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.engines.native import NativeEngine
from edge_rerank.pairs import TokenizedBatch

artifact = replace(load_artifact(builtin_model(), verify=False), path=Path(sys.argv[1]))
engine = NativeEngine(artifact, threads=int(sys.argv[2]), max_length=512, why="a test")
count = 4096
ids = np.tile(np.arange(5, 517, dtype=np.int32), count)
first, truncated = np.ones(count, np.int32), np.zeros(count, np.bool_)
pairs = TokenizedBatch(ids, np.arange(count + 1, dtype=np.int64) * 512, first, truncated)
latest = time.monotonic() + 60
try:
    print("scoring", flush=True)
    while time.monotonic() < latest:
        engine.logits(pairs)
    print("done")
except KeyboardInterrupt:
    print(time.monotonic())
"""


@pytest.fixture(scope="module")
def xsmall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("xsmall") / "model", XSMALL)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to another process")
@pytest.mark.parametrize("threads", [1, 2])
def test_the_scoring_of_many_long_pairs_is_interrupted_soon(
    library: Library, xsmall: Path, threads: int
) -> None:
    command = [sys.executable, "-c", _SCORE, str(xsmall), str(threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "scoring\n"
        time.sleep(0.5)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read().strip()
    assert said != "done", "the interrupt was not heard"
    assert float(said) - sent < _LATEST


def test_cuts_lie_where_the_library_cuts() -> None:
    offsets = np.array([0, 16, 33, 34, 98, 162, 163], np.int64)  # 16, 32, 16, 64, 64, 16 keys
    assert list(_pieces(offsets, 64)) == [(0, 3), (3, 4), (4, 5), (5, 6)]
    assert list(_pieces(offsets, 128)) == [(0, 4), (4, 6)]
    assert list(_pieces(offsets, 1000)) == [(0, 6)]
    assert list(_pieces(np.zeros(1, np.int64), 64)) == []


def test_the_same_bits_however_many_calls_it_takes(
    library: Library, builtin: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = np.random.default_rng(7).integers(1, 513, 60)
    pairs = batch_of(random_rows(lengths.tolist(), 7, 1000))
    engine = NativeEngine(builtin, threads=1, max_length=512, why="a test")
    cut = engine.logits(pairs)
    monkeypatch.setattr("edge_rerank.engines.native._pieces", lambda *_: [(0, len(pairs))])
    whole = engine.logits(pairs)
    engine.close()
    np.testing.assert_array_equal(cut.view(np.uint32), whole.view(np.uint32))
