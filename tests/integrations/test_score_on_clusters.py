"""``edge-rerank score --cluster``: a worker killed in mid-part costs nothing but its time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker
from tests.support.clients import environment
from tests.support.tree import ROOT

pytestmark = pytest.mark.slow
PARTS, ROWS = 6, 200
# The requirements are those of test_clusters.py, whose environments these are.
DASK = ("distributed>=2026", "dask[dataframe]", "polars", "duckdb", "pyarrow", "pandas")
RAY = ("ray[data]>=2.40,<3", "aiohttp")


def write_pairs(python: Path, folder: Path, kind: str) -> list[tuple[str, str]]:
    pairs = [
        (f"how do plants eat {place % 5}", f"Plant {place} eats light. " * (1 + place % 9))
        for place in range(PARTS * ROWS)
    ]
    folder.mkdir()
    for part in range(PARTS):
        lines = [
            {"id": place, "query": pairs[place][0], "document": pairs[place][1]}
            for place in range(part * ROWS, (part + 1) * ROWS)
        ]
        path = folder / f"{part}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        if kind == "parquet":
            program = (
                "import sys, pyarrow.json, pyarrow.parquet as parquet\n"
                "parquet.write_table(pyarrow.json.read_json(sys.argv[1]), sys.argv[2])"
            )
            target = str(path.with_suffix(".parquet"))
            subprocess.run([str(python), "-c", program, str(path), target], check=True)
            path.unlink()
    return pairs


def writers(folder: Path) -> dict[int, str]:
    """Return the processes that have an unfinished part open, and its name."""
    found = {}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.startswith(str(folder)) and target.endswith(".partial"):
            found[int(link.parts[2])] = Path(target).name
    return found


def read_scores(python: Path, folder: Path, kind: str) -> list[dict[str, Any]]:
    paths = sorted(folder.iterdir())
    assert [path.name for path in paths] == [f"{part}.{kind}" for part in range(PARTS)]
    if kind == "jsonl":
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    program = (
        "import json, sys, pyarrow.parquet as parquet\n"
        "rows = [row for path in sys.argv[1:] for row in parquet.read_table(path).to_pylist()]\n"
        "print(json.dumps(rows))"
    )
    words = [str(python), "-c", program, *map(str, paths)]
    found: list[dict[str, Any]] = json.loads(subprocess.check_output(words))
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds workers in /proc")
@pytest.mark.parametrize(
    ("words", "requirements", "kind"),
    [
        (["--cluster", "dask"], DASK, "jsonl"),
        (["--cluster", "dask"], DASK, "parquet"),
        (["--engine", "ray"], RAY, "parquet"),
    ],
    ids=["dask-jsonl", "dask-parquet", "ray"],
)
def test_a_killed_worker(
    tmp_path: Path, words: list[str], requirements: tuple[str, ...], kind: str
) -> None:
    python = environment(*requirements, borrow=True)
    pairs = write_pairs(python, tmp_path / "pairs", kind)
    command = [
        *(str(python), "-m", "edge_rerank", "score", "pairs", "--output", "scored"),
        *("--workers", "2", "--at-a-time", "2", *words),
    ]
    run = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    killed = False
    while run.poll() is None and not killed:
        if list((tmp_path / "scored").glob(f"*.{kind}")):
            for process in list(writers(tmp_path / "scored"))[:1]:
                assert process != run.pid
                os.kill(process, signal.SIGKILL)
                killed = True
        time.sleep(0.005)
    _, said = run.communicate(timeout=200)
    assert killed, said
    assert run.returncode == 0, said
    found = read_scores(python, tmp_path / "scored", kind)
    assert [row["id"] for row in found] == list(range(len(pairs)))
    with Reranker.load() as reranker:
        expected = sha256(reranker.predict(pairs).tobytes()).hexdigest()
    scores = np.array([row["score"] for row in found], np.float32)
    assert sha256(scores.tobytes()).hexdigest() == expected


def test_a_bad_row_on_a_worker(tmp_path: Path) -> None:
    python = environment(*DASK, borrow=True)
    write_pairs(python, tmp_path / "pairs", "jsonl")
    with (tmp_path / "pairs" / "3.jsonl").open("a") as stream:
        stream.write('{"query": "eat", "document": 7}\n')
    words = ["score", "pairs", "--output", "scored", "--cluster", "dask", "--workers", "2"]
    done = subprocess.run(
        [str(python), "-m", "edge_rerank", *words],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert f"{tmp_path}/pairs/3.jsonl:{ROWS + 1}: 'document' is 7; expected a string; " in last
    assert f" of {PARTS} parts are finished in {tmp_path}/scored; the same command with" in last
