"""Mining beside libraries that are not ours, and the lists that come of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bm25s")

FAKE = """import os


def top_k(values, count):
    assert len(values) == 5, "bm25s ranks with JAX"  # its own first call has five
    print("JAX on", os.environ.get("JAX_PLATFORMS", "the GPU"))
"""
RANK = """
from edge_rerank_training.mining import Bm25
found, _ = Bm25(["a loaf of bread", "a file of numbers", "bread and salt"]).top(["salted bread"], 2)
print(found.tolist())
"""


@pytest.mark.parametrize("asked", [None, "cuda"])
def test_bm25s_leaves_the_gpu_alone_where_jax_is_installed(
    asked: str | None, tmp_path: Path
) -> None:
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").touch()
    (tmp_path / "jax" / "lax.py").write_text(FAKE, "utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "JAX_PLATFORMS"}
    environment |= {"PYTHONPATH": str(tmp_path)} | ({"JAX_PLATFORMS": asked} if asked else {})
    command = [sys.executable, "-c", RANK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"JAX on {asked or 'cpu'}", "[[2, 0]]"]
