"""Scorers on real engines: each row once and the same bits, also where a worker is killed."""

from __future__ import annotations

import re
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.artifact.builtin import builtin_model
from tests.support.clients import environment, run
from tests.support.documents import code_blocks
from tests.support.tree import ROOT

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "clusters.md"
QUERIES = ("how do plants eat", "steel", "where do rivers flow")
ROWS = 240

_PAIRS = f"""
import hashlib, os, signal, sys
import pandas
from edge_rerank.batch import Scorer
QUERIES = {QUERIES!r}
PAIRS = pandas.DataFrame({{
    "id": range({ROWS}),
    "query": [QUERIES[n % 3] for n in range({ROWS})],
    "document": [f"Plant {{n}} eats light beside the river. " * (1 + n % 7) for n in range({ROWS})],
}})

def told(scored):
    scored = scored.sort_values("id")
    assert scored["id"].tolist() == list(range({ROWS})), scored["id"].tolist()
    assert str(scored["score"].dtype) == "float32"
    print(hashlib.sha256(scored["score"].to_numpy().tobytes()).hexdigest())
"""
_DASK_KILLED = """
from distributed import Client, LocalCluster, as_completed
if __name__ == "__main__":
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    ) as cluster, Client(cluster) as client:
        parts = [PAIRS.iloc[start : start + 12] for start in range(0, len(PAIRS), 12)]
        futures = client.map(Scorer(), parts)
        next(iter(as_completed(futures)))
        pids = client.run(os.getpid)
        os.kill(sorted(pids.values())[0], signal.SIGKILL)
        told(pandas.concat(client.gather(futures)))
        assert len(set(client.run(os.getpid).values()) - set(pids.values())) <= 1
"""


@pytest.fixture(scope="session")
def expected() -> str:
    """Return the hash of the scores, as one process computes them."""
    pairs = [
        (QUERIES[n % 3], f"Plant {n} eats light beside the river. " * (1 + n % 7))
        for n in range(ROWS)
    ]
    with Reranker.load() as reranker:
        return sha256(reranker.predict(pairs).astype(np.float32).tobytes()).hexdigest()


@pytest.fixture(scope="session")
def light() -> Path:
    return environment(
        "distributed>=2026", "dask[dataframe]", "polars", "duckdb", "pyarrow", "pandas", borrow=True
    )


@pytest.fixture(scope="session")
def ray() -> Path:
    return environment("ray[data]>=2.40,<3", "aiohttp", borrow=True)


@pytest.fixture(scope="session")
def spark() -> Path:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none")
    return environment("pyspark>=4,<5", "pandas", "pyarrow", borrow=True)


def test_every_kind_of_table(light: Path) -> None:
    program = (
        "import sys, pytest\n"
        "sys.exit(pytest.main(['tests/test_batch.py', '-q', '-p', 'no:cacheprovider']))"
    )
    said = run(light, program, PYTHONPATH=str(ROOT), folder=str(ROOT))
    assert re.search(r"^\d+ passed in", said.splitlines()[-1])


def test_dask_with_a_killed_worker(light: Path, expected: str) -> None:
    said = run(light, _PAIRS + _DASK_KILLED, PYTHONPATH=str(ROOT))
    assert said.split()[-1] == expected


_RAY_KILLED = """
ONCE = sys.argv[2]  # a worker has an argv of its own

class Dying(Scorer):
    \"\"\"Ends its worker as kill -9 does, once, after a batch.\"\"\"

    def __call__(self, batch):
        if "ran" in self.__dict__ and not os.path.exists(ONCE):
            open(ONCE, "w").write(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        self.__dict__["ran"] = True
        return super().__call__(batch)

again = ray.data.read_parquet("pairs").map_batches(
    Dying, batch_format="pyarrow", batch_size=16,
    compute=ray.data.ActorPoolStrategy(size=1),
)
killed = again.to_pandas()
assert os.path.exists(ONCE)
assert "float" in str(killed["score"].dtype), killed.dtypes  # of Arrow, or NumPy
told(killed.astype({"score": "float32"}))
told(pandas.read_parquet("scored"))
"""
_BEFORE = """
os.makedirs("pairs")
for start in range(0, len(PAIRS), 60):
    PAIRS.iloc[start : start + 60].to_parquet(f"pairs/{start}.parquet")
os.symlink(sys.argv[1], "my-model")
"""
_SPARK = """
from pyspark.sql import SparkSession
os.environ["PYSPARK_PYTHON"] = sys.executable
spark = (
    SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    .getOrCreate()
)
pairs = spark.read.parquet("pairs")
"""
_READ = 'told(pandas.read_parquet("scored"))\n'
_DUCKDB = """
told(duckdb.sql("SELECT *, rerank(query, document) AS score FROM 'pairs/*.parquet'").df())
"""
_POLARS = "told(pandas.DataFrame({name: scored[name].to_numpy() for name in scored.columns}))\n"
SECTIONS = {
    "Dask": ("light", "", _READ),
    "Ray Data": ("ray", "", _RAY_KILLED),
    "Spark": ("spark", _SPARK, "told(scored.toPandas())\n"),
    "DuckDB": ("light", "", _DUCKDB),
    "Polars": ("light", "", _POLARS),
}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_s_lines(
    request: pytest.FixtureRequest, tmp_path: Path, expected: str, section: str
) -> None:
    group, before, after = SECTIONS[section]
    words = {"DuckDB": "import duckdb", "Polars": "import polars"}
    page = PAGE.read_text("utf-8")
    if section not in words:
        page = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (block,) = [
        text
        for language, text in code_blocks(PAGE)
        if language == "python" and text in page and words.get(section, "") in text
    ]
    program = f"{_PAIRS}{_BEFORE}{before}{block}\n{after}"
    said = run(
        request.getfixturevalue(group), program, str(builtin_model()), str(tmp_path / "killed"),
        PYTHONPATH=str(ROOT), folder=str(tmp_path),
    )  # fmt: skip
    assert said.split().count(expected) == after.count("told(")
