"""The emulator: the system's qemu-user, or Debian's package unpacked into the cache."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.emulation.cache import cached
from tools.emulation.commands import run_quietly
from tools.emulation.debian import sources_file, unpack_packages
from tools.emulation.errors import EmulationError

_DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}


def debian_architecture(machine: str) -> str:
    """Return Debian's name for a kind of machine."""
    if machine not in _DEBIAN:
        raise EmulationError(f"this machine is {machine}; expected one of {', '.join(_DEBIAN)}")
    return _DEBIAN[machine]


def find_qemu(machine: str, host: str, *, refresh: bool = False) -> Path:
    """Return the program that runs programs of a kind of machine, downloading it if need be."""
    for name in _names(machine):
        installed = shutil.which(name)
        if installed is not None:
            return Path(installed)
    ingredients = {"recipe": 2, "host": host, "sources": sources_file()}
    folder = cached("qemu", ingredients, lambda into: _unpack(into, host), refresh=refresh)
    return _found(folder, machine)


def _unpack(into: Path, host: str) -> None:
    """Newer releases have the programs in qemu-user, and qemu-user-static is links to them."""
    architecture = debian_architecture(host)
    for package in ("qemu-user-static", "qemu-user"):
        unpack_packages([package], architecture, into / package, dependencies=False)
        shutil.rmtree(into / f"{package}.apt")
        try:
            program = _found(into, host)
        except EmulationError:
            continue
        run_quietly([program, "--version"], remedy="the package's program does not run here")
        _keep_needed(program.parent)
        return
    raise EmulationError("neither qemu-user-static nor qemu-user has the programs looked for")


def _keep_needed(programs: Path) -> None:
    """Remove the emulators of the other architectures, which are most of the package."""
    needed = {name for machine in _DEBIAN for name in _names(machine)}
    for program in programs.iterdir():
        if program.name not in needed:
            program.unlink()


def _found(folder: Path, machine: str) -> Path:
    for name in _names(machine):
        for program in sorted(folder.glob(f"*/usr/bin/{name}")):
            if program.is_file():
                return program
    raise EmulationError(f"{folder} has no {' or '.join(_names(machine))}")


def _names(machine: str) -> tuple[str, str]:
    return f"qemu-{machine}-static", f"qemu-{machine}"
