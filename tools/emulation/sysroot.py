"""Another architecture's Python with all that the project needs, as a folder."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tools.emulation.cache import cached
from tools.emulation.commands import run_quietly
from tools.emulation.debian import sources_file, unpack_packages
from tools.emulation.errors import EmulationError
from tools.emulation.qemu import debian_architecture

RECIPE = 2
"""To be raised when what is made here changes."""
PACKAGES = ("python3", "libstdc++6")
NEEDED = ("numpy", "onnxruntime", "tokenizers")
FOR_TESTS = ("hypothesis", "onnx", "pytest")
# From old to new: what a wheel may ask of the C library, newest release of which counts.
_PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28")

# onnxruntime looks up the cores here when it is imported, and crashes when it finds the host's:
# QEMU looks for every file in the sysroot first.
_CPUINFO = """\
processor\t: 0
BogoMIPS\t: 100.00
Features\t: fp asimd
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""


@dataclass(frozen=True, slots=True)
class Sysroot:
    """Where the parts of a sysroot lie."""

    root: Path
    """What stands for the file system's root."""
    packages: Path
    """The Python packages, for PYTHONPATH."""

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.root / "usr/bin/python3"


def find_sysroot(machine: str, *, refresh: bool = False) -> Sysroot:
    """Return the sysroot for a kind of machine, made the first time."""
    ingredients = {
        "recipe": RECIPE,
        "packages": PACKAGES,
        "wheels": requirements(),
        "system": _system(),
        "sources": sources_file(),
    }
    folder = cached(machine, ingredients, lambda into: _make(into, machine), refresh=refresh)
    return Sysroot(folder / "root", folder / "packages")


def requirements() -> list[str]:
    """Return what pip is asked for: the releases that this Python has, where it has them."""
    return [_pinned(name) for name in (*NEEDED, *FOR_TESTS)]


def _pinned(name: str) -> str:
    try:
        return f"{name}=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


def _system() -> str:
    """Name the distribution's release, which decides the Python in the sysroot."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    wanted = ("ID=", "VERSION_ID=", "VERSION_CODENAME=")
    return " ".join(line for line in lines if line.startswith(wanted))


def _make(into: Path, machine: str) -> None:
    sysroot = Sysroot(into / "root", into / "packages")
    unpack_packages(PACKAGES, debian_architecture(machine), sysroot.root, dependencies=True)
    shutil.rmtree(into / "root.apt")
    _write_system_files(sysroot.root)
    _install_wheels(sysroot.packages, machine, _python_version(sysroot))


def _write_system_files(root: Path) -> None:
    cores = root / "sys/devices/system/cpu"
    cores.mkdir(parents=True)
    for name in ("possible", "present"):
        (cores / name).write_text("0-1\n")
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/cpuinfo").write_text(_CPUINFO)


def _python_version(sysroot: Sysroot) -> str:
    """Read the version off the link python3, which points at python3.11 or the like."""
    name = os.readlink(sysroot.python)
    if not name.startswith("python3."):
        raise EmulationError(f"{sysroot.python} points at {name!r}; expected python3.N")
    return name.removeprefix("python")


def _install_wheels(into: Path, machine: str, version: str) -> None:
    """Let pip resolve, check and unpack the wheels of the other architecture."""
    platforms = [f"--platform={platform}_{machine}" for platform in reversed(_PLATFORMS)]
    run_quietly(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"),
            *("--only-binary=:all:", "--implementation=cp", f"--python-version={version}"),
            *platforms,
            *("--target", into),
            *requirements(),
        ],
        remedy=f"pip must reach a package index with wheels for {machine} and Python {version}",
    )
