"""Which engines and kernels are run on which CPU, with which model, and over which pairs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tools.emulation.cpus import HOST, EmulatedCpu, host_machine, kernels
from tools.emulation.models import BUILT_IN, Model
from tools.emulation.pairs import Part

SLOW = "scalar"
"""The kernel that is the reference of all others: an emulated CPU reads a few tokens a second."""
_BUILT_IN = Model(BUILT_IN, None)


@dataclass(frozen=True, slots=True)
class Run:
    """One engine, with one kernel, on one CPU."""

    cpu: EmulatedCpu | None
    """None is this machine itself."""
    engine: str
    kernel: str | None = None
    """None leaves the choice to the engine."""
    part: Part = Part.ALL
    verify: bool = False
    """Whether it is ``edge-rerank verify`` instead."""
    model: Model = _BUILT_IN

    @property
    def machine(self) -> str:
        """The kind of machine it needs."""
        return host_machine() if self.cpu is None else self.cpu.machine

    @property
    def place(self) -> str:
        """The name of the CPU."""
        return HOST if self.cpu is None else self.cpu.name


def host_runs(features: Collection[str], model: Model, *, patient: bool) -> list[Run]:
    """Return the native engine's runs on this machine: all kernels, the best one first."""
    found = kernels(host_machine(), features)
    return [Run(None, "native", kernel, _part(kernel, patient), model=model) for kernel in found]


def emulated_runs(cpus: Sequence[EmulatedCpu], *, native: bool, patient: bool = False) -> list[Run]:
    """Return the runs on emulated CPUs.

    The native engine chooses its kernel by itself; one that it chooses nowhere is forced once.
    """
    part = Part.ALL if patient else Part.SOME
    runs = [Run(cpu, "onnxruntime", part=part) for cpu in cpus]
    if not native:
        return runs
    for cpu in cpus:
        able = kernels(cpu.machine, cpu.features)
        runs.append(Run(cpu, "native"))
        ran = {run.kernel for run in runs if run.kernel and run.machine == cpu.machine}
        chosen = {
            kernels(other.machine, other.features)[0]
            for other in cpus
            if other.machine == cpu.machine
        }
        others = [kernel for kernel in able if kernel not in chosen | ran]
        runs += [Run(cpu, "native", kernel, _part(kernel)) for kernel in others]
    return runs


def verify_runs(cpus: Sequence[EmulatedCpu], *, native: bool) -> list[Run]:
    """Return the runs of ``edge-rerank verify``, with the default engine and kernel."""
    engine = "native" if native else "onnxruntime"
    return [Run(cpu, engine, verify=True) for cpu in cpus]


def with_models(runs: Sequence[Run], models: Sequence[Model]) -> list[Run]:
    """Return each run with each model, long ones last, so that a check cut short says most.

    ONNX Runtime, which promises no bits, gets the first model alone.
    """
    made = [
        replace(run, model=model)
        for model in models
        for run in runs
        if run.engine == "native" or model == models[0]
    ]
    return sorted(made, key=lambda run: (run.verify, run.part == Part.SHORT))


def _part(kernel: str, patient: bool = False) -> Part:
    return Part.SHORT if kernel == SLOW and not patient else Part.ALL
