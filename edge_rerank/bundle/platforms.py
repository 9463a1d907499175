"""The platforms that a kit can be made for, in pip's words."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Mapping

from edge_rerank.errors import InputError

# The newest glibc among Debian 10, Ubuntu 20.04 and Red Hat 8 and their successors: wheels that
# ask for more would not run on all of them.
_GLIBC = 28
_MUSL = 2
_MACOS = 14
_PYTHON = re.compile(r"3\.(\d{1,2})")
_OLDEST = 10


def _manylinux(machine: str) -> tuple[str, ...]:
    newest_first = (f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, 16, -1))
    return (*newest_first, f"manylinux2014_{machine}")


def _musllinux(machine: str) -> tuple[str, ...]:
    return tuple(f"musllinux_1_{minor}_{machine}" for minor in range(_MUSL, 0, -1))


def _macos(machine: str) -> tuple[str, ...]:
    versions = range(_MACOS, 10, -1)
    return tuple(f"macosx_{v}_0_{kind}" for v in versions for kind in (machine, "universal2"))


PLATFORMS: Mapping[str, tuple[str, ...]] = {
    "linux-x86_64": _manylinux("x86_64"),
    "linux-aarch64": _manylinux("aarch64"),
    "musllinux-x86_64": _musllinux("x86_64"),
    "musllinux-aarch64": _musllinux("aarch64"),
    "macos-arm64": _macos("arm64"),
    "macos-x86_64": _macos("x86_64"),
    "windows-x86_64": ("win_amd64",),
    "windows-arm64": ("win_arm64",),
}
"""The tags of wheels that fit a platform, the most demanding first."""

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def this_platform() -> str:
    """Return this machine's platform; raises InputError where no kit can be made for it."""
    machine = platform.machine().lower()
    machine = _MACHINES.get(machine, machine)
    system = {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform, "")
    if system == "linux" and platform.libc_ver()[0] != "glibc":
        system = "musllinux"
    if system in ("macos", "windows") and machine == "aarch64":
        machine = "arm64"
    name = f"{system}-{machine}"
    if name not in PLATFORMS:
        raise InputError(f"this machine is {sys.platform}, {machine}; {known_platforms()}")
    return name


def known_platforms() -> str:
    """Return the end of a message: what to choose from."""
    return f"name the kit's platform, one of {', '.join(PLATFORMS)}"


def check_platform(name: str) -> str:
    """Return ``name`` as it is; raises InputError for a platform that no kit can be made for."""
    if name not in PLATFORMS:
        raise InputError(f"the kit's platform is {name!r}; {known_platforms()}")
    return name


def check_python(version: str) -> str:
    """Return ``version`` as it is; raises InputError for one that edge-rerank does not run on."""
    found = _PYTHON.fullmatch(version)
    if found is None or int(found[1]) < _OLDEST:
        raise InputError(f"the kit's Python is {version!r}; expected 3.{_OLDEST} or later, as 3.11")
    return version
