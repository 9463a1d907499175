"""The platforms that the engine is built for, and the instruction sets of its kernels."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass

# Each file of src/kernels is compiled for the features named here and no others, and linked only
# on its own architecture. The engine asks the processor before it calls into one.
_AVX512_VNNI = ("avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni")
_X86_KERNELS: Mapping[str, tuple[str, ...]] = {
    "scalar": (),
    "sse41": ("sse4_1",),
    "avx2": ("avx2", "fma"),
    "avx_vnni": ("avx2", "fma", "avxvnni"),
    "avx512_vnni": _AVX512_VNNI,
    "amx_int8": (*_AVX512_VNNI, "amx_tile", "amx_int8"),
}
_ARM_KERNELS: Mapping[str, tuple[str, ...]] = {
    "scalar": (),
    "neon": (),
    "neon_dotprod": ("dotprod",),
    "neon_i8mm": ("dotprod", "i8mm"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """A platform: what the compiler, the linker and a wheel call it."""

    name: str
    triple: str
    """As zig writes it, with the oldest glibc or macOS that the library runs on."""
    cpu: str
    """The oldest processor of the architecture, as zig names it."""
    kernels: Mapping[str, tuple[str, ...]]
    """The source files under src/kernels by stem, and the CPU features each is compiled for."""
    library: str
    platform_tag: str
    """The last part of a wheel's name."""

    @property
    def system(self) -> str:
        """``linux`` (with either C library), ``macos`` or ``windows``."""
        return self.name.split("-")[0].removeprefix("musl")

    @property
    def is_x86(self) -> bool:
        """True on x86-64, False on 64-bit ARM."""
        return self.kernels is _X86_KERNELS


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target(
            name="linux-x86_64",
            triple="x86_64-linux-gnu.2.17",
            cpu="x86_64",
            kernels=_X86_KERNELS,
            library="libedge_rerank.so",
            platform_tag="manylinux_2_17_x86_64.manylinux2014_x86_64",
        ),
        Target(
            name="linux-aarch64",
            triple="aarch64-linux-gnu.2.17",
            cpu="generic",
            kernels=_ARM_KERNELS,
            library="libedge_rerank.so",
            platform_tag="manylinux_2_17_aarch64.manylinux2014_aarch64",
        ),
        # For Alpine and its like. The tag is the oldest musl that zig's headers are written for.
        Target(
            name="musllinux-x86_64",
            triple="x86_64-linux-musl",
            cpu="x86_64",
            kernels=_X86_KERNELS,
            library="libedge_rerank.so",
            platform_tag="musllinux_1_2_x86_64",
        ),
        Target(
            name="musllinux-aarch64",
            triple="aarch64-linux-musl",
            cpu="generic",
            kernels=_ARM_KERNELS,
            library="libedge_rerank.so",
            platform_tag="musllinux_1_2_aarch64",
        ),
        Target(
            name="macos-arm64",
            triple="aarch64-macos.11.0",
            cpu="generic",
            kernels=_ARM_KERNELS,
            library="libedge_rerank.dylib",
            platform_tag="macosx_11_0_arm64",
        ),
        Target(
            name="macos-x86_64",
            triple="x86_64-macos.11.0",
            cpu="x86_64",
            kernels=_X86_KERNELS,
            library="libedge_rerank.dylib",
            platform_tag="macosx_11_0_x86_64",
        ),
        Target(
            name="windows-x86_64",
            triple="x86_64-windows-gnu",
            cpu="x86_64",
            kernels=_X86_KERNELS,
            library="edge_rerank.dll",
            platform_tag="win_amd64",
        ),
        Target(
            name="windows-arm64",
            triple="aarch64-windows-gnu",
            cpu="generic",
            kernels=_ARM_KERNELS,
            library="edge_rerank.dll",
            platform_tag="win_arm64",
        ),
    )
}

_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def host_target() -> Target | None:
    """Return the target of this Python interpreter's own platform; None when there is none.

    A 32-bit interpreter cannot load a 64-bit library, and a musl system no glibc one.
    """
    system = _SYSTEMS.get(sys.platform)
    machine = _MACHINES.get(platform.machine().lower())
    if system is None or machine is None or sys.maxsize < 2**32:
        return None
    if system == "linux":
        system = _linux(machine)
    elif machine == "aarch64":
        machine = "arm64"
    return TARGETS.get(f"{system}-{machine}")


def _linux(machine: str) -> str | None:
    """Return the word for Linux with this C library; None where the library is another one."""
    try:
        if (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc "):
            return "linux"
    except (OSError, ValueError):  # the name is unknown to other C libraries
        pass
    return "musllinux" if os.path.exists(f"/lib/ld-musl-{machine}.so.1") else None
