"""Under a real cgroup, as a container has it: one CPU's quota, and little memory."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path("/sys/fs/cgroup")
QUOTA, MEMORY = 100_000, 150_000_000
_PROGRAM = """
import ctypes, os, sys
from edge_rerank import Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.machine.threads import resolve_threads
from edge_rerank.native_library import Options, UnavailableError, load_library

print(resolve_threads(None))
with Reranker.load() as reranker:
    print(reranker.describe().threads)
    assert len(reranker.rank("water", ["a river " * 400] * 50)) == 50
try:
    library = load_library()
except UnavailableError:
    print(1)
else:
    engine = library.open(os.fsencode(builtin_model()), Options(size=ctypes.sizeof(Options)))
    print(library.describe(engine).threads)
    library.close(engine)
"""


@pytest.fixture
def groups() -> Iterator[list[Path]]:
    """Make groups with both limits, of version 1 or 2; the tests skip where nobody may."""
    name = f"edge-rerank-{uuid.uuid4().hex}"
    second = (ROOT / "cgroup.controllers").is_file()
    made = [ROOT / name] if second else [ROOT / "cpu" / name, ROOT / "memory" / name]
    limits = (
        {"cpu.max": f"{QUOTA} 100000", "memory.max": MEMORY}
        if second
        else {"cpu.cfs_quota_us": QUOTA, "memory.limit_in_bytes": MEMORY}
    )
    there: list[Path] = []
    try:
        for group in made:
            group.mkdir()
            there.append(group)
            for file, value in limits.items():
                if (group / file).exists():
                    (group / file).write_text(str(value))
        if not any((group / next(iter(limits))).exists() for group in made):
            pytest.skip("no CPU quota can be set here")
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    else:
        yield made
    finally:
        for group in there:
            group.rmdir()


@pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux's")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one CPU is no limit here")
def test_threads_follow_the_quota_and_little_memory_is_enough(groups: list[Path]) -> None:
    join = "".join(f"echo $$ > {group}/cgroup.procs && " for group in groups)
    environment = {k: v for k, v in os.environ.items() if k != "EDGE_RERANK_THREADS"}
    done = subprocess.run(
        ["/bin/sh", "-c", f'{join}exec "$0" -c "$1"', sys.executable, _PROGRAM],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "1", "1"]
