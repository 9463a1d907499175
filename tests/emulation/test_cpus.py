"""The project on emulated CPUs: python -m pytest -m emulation tests/emulation.

Not part of the ordinary tests: minutes long, and the first time it downloads what it needs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.emulation.check import check
from tools.emulation.compare import EXACT, Row
from tools.emulation.cpus import CPUS, EmulatedCpu, find_cpus, host_machine
from tools.emulation.machine import emulated
from tools.emulation.models import BUILT_IN, find_models
from tools.emulation.pairs import reduced
from tools.emulation.staging import REPOSITORY, staged

pytestmark = pytest.mark.emulation
REDUCED = [cpu for cpu in CPUS if cpu.reduced]
PLAINEST = find_cpus(["cortex-a72"])


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    if sys.platform != "linux":
        pytest.skip("QEMU runs Linux programs on Linux alone")
    models = find_models([BUILT_IN])
    return check(REDUCED, reduced(), models, verified_on=PLAINEST, say=print)


@pytest.mark.parametrize("cpu", REDUCED, ids=lambda cpu: cpu.name)
@pytest.mark.parametrize("engine", ["onnxruntime", "native"])
def test_scores_are_those_of_this_machine(rows: list[Row], cpu: EmulatedCpu, engine: str) -> None:
    own = [row for row in rows if row.cpu == cpu.name and row.engine == engine and not row.verify]
    assert own
    assert {row.kernel: row.problems for row in own if row.problems} == {}
    assert engine not in EXACT or {row.differing for row in own} == {0}


@pytest.mark.parametrize("cpu", PLAINEST, ids=lambda cpu: cpu.name)
def test_verify_holds(rows: list[Row], cpu: EmulatedCpu) -> None:
    (row,) = [row for row in rows if row.cpu == cpu.name and row.verify]
    assert row.problems == []
    assert row.pairs > 0


def test_this_machine_scores_alike_with_every_kernel(rows: list[Row]) -> None:
    own = [row for row in rows if row.cpu == "host"]
    assert {row.kernel: row.problems for row in own if row.problems} == {}


@pytest.mark.parametrize("cpu", [REDUCED[0], REDUCED[-1]], ids=lambda cpu: cpu.name)
def test_what_python_starts_is_emulated_too(cpu: EmulatedCpu, tmp_path: Path) -> None:
    (tmp_path / "features.py").write_text(
        "from edge_rerank.machine.cpu import read_cpu\nprint(read_cpu().features, flush=True)\n"
    )
    code = "import subprocess, sys; subprocess.run([sys.executable, sys.argv[1]], check=True)"
    with staged(cpu.machine) as folder:
        arguments = ["-c", code, str(tmp_path / "features.py")]
        done = emulated(cpu).run(arguments, folder, capture=True)
    assert done.stdout.strip() == str(cpu.features)


@pytest.mark.skipif(host_machine() != "x86_64", reason="an x86 CPU older than the libraries need")
@pytest.mark.parametrize("name", ["Penryn", "Opteron_G3"])
def test_an_x86_too_old_is_refused_at_import(name: str) -> None:
    # numpy ends with an illegal instruction on the second, without a word.
    from tools.emulation.qemu import find_qemu

    qemu = find_qemu("x86_64", "x86_64")
    command = [str(qemu), "-cpu", f"{name},check=off", sys.executable, "-c", "import edge_rerank"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1
    assert "UnsupportedCpuError: this processor lacks" in done.stderr
