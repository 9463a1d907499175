"""``edge-rerank score --cluster``: a worker killed in mid-part costs nothing but its time."""

from __future__ import annotations

import json
import os
import subprocess
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
# What all processes import at their start: one of them kills itself, once, where a part is finished
# and it has begun another one.
_DYING = """
import os, signal
from pathlib import Path
from edge_rerank.cli.scoring import Scorer
here = Path(__file__).parent
batches = Scorer.batches

def dying(self, lines, at_a_time):
    for batch in batches(self, lines, at_a_time):
        if any(not path.name.endswith(".partial") for path in here.glob("scored/*")):
            try:
                (here / "killed").open("x").write(str(os.getpid()))
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        yield batch

Scorer.batches = dying
"""


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
    (tmp_path / "sitecustomize.py").write_text(_DYING)
    command = [
        *(str(python), "-m", "edge_rerank", "score", "pairs", "--output", "scored"),
        *("--workers", "2", "--at-a-time", "2", *words),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "killed").read_text().isdecimal(), done.stderr
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
