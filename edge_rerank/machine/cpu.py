"""The few facts about the processor that decide how a model is run, and that ``info`` shows."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from edge_rerank.errors import UnsupportedCpuError
from edge_rerank.machine._ask_cpu import ask_cpu, missing_baseline

_CPUINFO = Path("/proc/cpuinfo")
_X86 = frozenset({"x86_64", "amd64", "i386", "i686", "x86"})
_ARM64 = frozenset({"aarch64", "arm64"})
# As Linux names them. They are the features that decide how fast, and with what rounding, 8-bit
# products run.
_INTERESTING = (
    *("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8"),
    *("asimddp", "i8mm", "bf16"),
)
_NUMPY_NAMES = {
    "avx2": "AVX2",
    "avx512f": "AVX512F",
    "avx512_vnni": "AVX512VNNI",
    "asimddp": "ASIMDDP",
}


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor this process runs on, as far as it can be told without native code."""

    machine: str
    """``platform.machine()`` in lower case, such as ``x86_64`` or ``aarch64``."""
    model: str
    """The maker's name for it; empty when the system does not say."""
    features: tuple[str, ...] | None
    """Which of the features that matter here it has; None when that cannot be told."""

    @property
    def is_x86(self) -> bool:
        """True on 32-bit and 64-bit x86."""
        return self.machine in _X86

    @property
    def saturates(self) -> bool:
        """True where 8-bit products of unsigned by signed numbers may saturate.

        x86 without VNNI adds two such products in 16 bits, and what does not fit is cut off: an
        int8 model then gives wrong scores. Unknown counts as True: slower, and right.
        """
        if not self.is_x86:
            return False
        return not any(name in ("avx_vnni", "avx512_vnni") for name in self.features or ())


def read_cpu(cpuinfo: Path = _CPUINFO) -> Cpu:
    """Describe the processor from the system's own account of it; never fails."""
    machine = platform.machine().lower()
    fields = _first_processor(cpuinfo)
    model = fields.get("model name", "") or platform.processor()
    found = ask_cpu(is_x86=machine in _X86) if machine in _X86 | _ARM64 else None
    if found is not None:
        return Cpu(machine, model, tuple(name for name in _INTERESTING if name in found))
    flags = fields.get("flags", fields.get("Features", ""))
    return Cpu(machine, model, _features(machine, frozenset(flags.split()), _numpy_features()))


def require_baseline() -> None:
    """Raise UnsupportedCpuError on an x86 processor that the published builds of numpy die on.

    Some of them end the process with an illegal instruction, without a word.
    """
    missing = missing_baseline() if platform.machine().lower() in _X86 else frozenset()
    if missing:
        raise UnsupportedCpuError(
            f"this processor lacks {', '.join(sorted(missing))}; edge-rerank needs numpy and "
            "onnxruntime, whose published builds need x86-64-v2 (a processor of 2009 or later)"
        )


def _features(
    machine: str, flags: frozenset[str], asked: Mapping[str, bool]
) -> tuple[str, ...] | None:
    """Join what ``/proc/cpuinfo`` lists and what numpy found by asking the processor itself.

    For systems that :func:`ask_cpu` does not know. Under an emulator ``cpuinfo`` may be the
    host's; it is left aside when numpy contradicts it.
    """
    if machine in _X86 and asked.get("AVX512F") is False and "avx512f" in flags:
        flags = frozenset()
    if machine in _X86 and asked.get("AVX2") is False and "avx2" in flags:
        flags = frozenset()
    flags |= {name for name, theirs in _NUMPY_NAMES.items() if asked.get(theirs)}
    return tuple(name for name in _INTERESTING if name in flags) if flags else None


def _numpy_features() -> Mapping[str, bool]:
    try:
        module = import_module("numpy._core._multiarray_umath")
    except ImportError:  # numpy 1, or a later one that moved it: cpuinfo has to do
        return {}
    features = getattr(module, "__cpu_features__", None)
    return features if isinstance(features, dict) else {}


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}
