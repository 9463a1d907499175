"""Every family and kind of layer on emulated CPUs: the bits of this machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.emulation.score_kinds import kinds
from tools.emulation.cpus import CPUS, EmulatedCpu
from tools.emulation.machine import emulated
from tools.emulation.staging import REPOSITORY, staged

pytestmark = pytest.mark.emulation
_SCORE = ["-m", "tests.emulation.score_kinds"]
Bits = dict[str, list[int]]


def by_model(found: Bits) -> dict[str, set[tuple[int, ...]]]:
    """Return the different bits that the kernels of one CPU gave for each model."""
    models: dict[str, set[tuple[int, ...]]] = {}
    for name, bits in found.items():
        models.setdefault(name.split()[0], set()).add(tuple(bits))
    return models


@pytest.fixture(scope="module")
def here() -> dict[str, set[tuple[int, ...]]]:
    if sys.platform != "linux":
        pytest.skip("QEMU runs Linux programs on Linux alone")
    done = subprocess.run(
        [sys.executable, *_SCORE], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return by_model(json.loads(done.stdout))


@pytest.mark.parametrize("cpu", [cpu for cpu in CPUS if cpu.reduced], ids=lambda cpu: cpu.name)
def test_every_kind_of_model_has_the_bits_of_this_machine(
    here: dict[str, set[tuple[int, ...]]], cpu: EmulatedCpu
) -> None:
    with staged(cpu.machine) as folder:
        done = emulated(cpu).run(_SCORE, folder, capture=True)
    found = by_model(json.loads(done.stdout))
    assert found.keys() == here.keys() == kinds().keys()
    assert {name for name, bits in found.items() if bits != here[name]} == set()
    assert {len(bits) for bits in here.values()} == {1}
