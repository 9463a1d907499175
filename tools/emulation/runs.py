"""Which engines and kernels are run on which CPU, and over how many of the pairs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tools.emulation.cpus import HOST, EmulatedCpu, host_machine, kernels

SLOW = "scalar"
"""The kernel that is the reference of all others: an emulated CPU reads a few tokens a second."""
SLOW_STEP = 10
"""Of how many pairs the slow kernel scores one."""


@dataclass(frozen=True, slots=True)
class Run:
    """One engine, with one kernel, on one CPU."""

    cpu: EmulatedCpu | None
    """None is this machine itself."""
    engine: str
    kernel: str | None = None
    """None leaves the choice to the engine."""
    step: int = 1
    """Every so many pairs one is scored."""

    @property
    def machine(self) -> str:
        """The kind of machine it needs."""
        return host_machine() if self.cpu is None else self.cpu.machine

    @property
    def place(self) -> str:
        """The name of the CPU."""
        return HOST if self.cpu is None else self.cpu.name

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return " ".join([self.place, self.engine, *([self.kernel] if self.kernel else [])])


def host_runs(features: Collection[str], *, patient: bool) -> list[Run]:
    """Give the native engine's runs on this machine: all kernels, the best one first."""
    found = kernels(host_machine(), features)
    return [Run(None, "native", kernel, 1 if patient else _step(kernel)) for kernel in found]


def emulated_runs(cpus: Sequence[EmulatedCpu], *, native: bool) -> list[Run]:
    """Give the runs on emulated CPUs.

    The native engine chooses its kernel by itself; one that it chooses nowhere is forced once.
    """
    runs = [Run(cpu, "onnxruntime") for cpu in cpus]
    if not native:
        return runs
    for cpu in cpus:
        able = kernels(cpu.machine, cpu.features)
        runs.append(Run(cpu, "native", None, _step(able[0])))
        ran = _kernels_of(runs, cpu.machine)
        chosen = {kernels(it.machine, it.features)[0] for it in cpus if it.machine == cpu.machine}
        others = [kernel for kernel in able if kernel not in chosen | ran]
        runs += [Run(cpu, "native", kernel, _step(kernel)) for kernel in others]
    return runs


def _kernels_of(runs: Sequence[Run], machine: str) -> set[str]:
    """Give the kernels that runs of a kind of machine force."""
    return {run.kernel for run in runs if run.kernel and run.machine == machine}


def _step(kernel: str) -> int:
    return SLOW_STEP if kernel == SLOW else 1
