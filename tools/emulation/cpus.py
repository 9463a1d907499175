"""The CPUs that the project is run on, and what must be found on each."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tools.emulation.errors import EmulationError

HOST = "host"
"""The name of the machine itself, without an emulator: what all others are compared with."""

# What each kernel of the native engine needs, best first: names of the engine, and features by the
# names of edge_rerank.machine.cpu. SSE4.1 is not among them: without it numpy does not run either.
_KERNELS = {
    "x86_64": {
        "amx_int8": {"amx_int8", "avx512_vnni"},
        "avx512_vnni": {"avx512_vnni"},
        "avx_vnni": {"avx_vnni"},
        "avx2": {"avx2"},
        "sse41": set(),
    },
    "aarch64": {"neon_i8mm": {"i8mm"}, "neon_dotprod": {"asimddp"}, "neon": set()},
}


@dataclass(frozen=True, slots=True)
class EmulatedCpu:
    """One CPU model of QEMU."""

    name: str
    """As QEMU calls it."""
    machine: str
    """As ``platform.machine()`` calls its kind."""
    about: str
    features: tuple[str, ...]
    """What edge_rerank.machine.cpu must find on it, and nothing else."""
    reduced: bool = False
    """True for the CPUs of the reduced set, which CI runs."""


CPUS = (
    EmulatedCpu("Haswell", "x86_64", "x86-64 with AVX2, no VNNI", ("avx2",), reduced=True),
    EmulatedCpu("SandyBridge", "x86_64", "x86-64 with AVX, no AVX2", ()),
    EmulatedCpu("Nehalem", "x86_64", "x86-64 without AVX", (), reduced=True),
    EmulatedCpu("cortex-a72", "aarch64", "Armv8.0: no dot product (Raspberry Pi 4)", (), True),
    EmulatedCpu("cortex-a76", "aarch64", "Armv8.2: dot product (Raspberry Pi 5)", ("asimddp",)),
    EmulatedCpu("neoverse-n1", "aarch64", "Armv8.2: dot product (Graviton 2)", ("asimddp",)),
    EmulatedCpu(
        "max", "aarch64", "all that QEMU has: i8mm, bf16, SVE", ("asimddp", "i8mm", "bf16"), True
    ),
)


def host_machine() -> str:
    """Return the kind of this machine, as CPUS spells it."""
    machine = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)


def find_cpus(names: Iterable[str]) -> list[EmulatedCpu]:
    """Return the CPUs of these names, in the given order; case does not matter."""
    known = {cpu.name.lower(): cpu for cpu in CPUS}
    wanted = list(names)
    for name in wanted:
        if name.lower() not in known:
            raise EmulationError(
                f"there is no CPU {name!r} here; expected one of {', '.join(c.name for c in CPUS)}"
            )
    return [known[name.lower()] for name in wanted]


def kernels(machine: str, features: Collection[str]) -> list[str]:
    """Return the native engine's kernels that a CPU must be able to run, best first."""
    able = [name for name, needs in _KERNELS[machine].items() if needs <= set(features)]
    return [*able, "scalar"]
