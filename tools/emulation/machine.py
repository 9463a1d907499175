"""Running Python on one CPU: this machine's, or an emulated one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.emulation.cpus import EmulatedCpu, host_machine
from tools.emulation.errors import EmulationError
from tools.emulation.qemu import find_qemu
from tools.emulation.sysroot import Sysroot, find_sysroot

# What would choose kernels by hand, or load this machine's libraries into another's programs.
_NOT_PASSED_ON = ("OPENBLAS_", "LD_", "PYTHONHOME", "PYTHONPATH", "EDGE_RERANK_THREADS")


@dataclass(frozen=True, slots=True)
class Machine:
    """An interpreter that runs on one CPU, and what it needs around it."""

    command: tuple[str, ...]
    """What stands before the interpreter's arguments."""
    packages: Path | None
    """Where the Python packages lie, if not where the interpreter looks by itself."""

    def environment(self, folder: Path, current: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables for the project's copy in ``folder``."""
        kept = {key: text for key, text in current.items() if not key.startswith(_NOT_PASSED_ON)}
        path = [str(folder)]
        if self.packages is not None:
            path.append(str(self.packages))
            # The sysroot comes without compiled modules; kept, they make the next start quick.
            kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return {**kept, "PYTHONPATH": os.pathsep.join(path)}

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        capture: bool = False,
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the interpreter in the project's copy, with its output captured or shown."""
        with tempfile.TemporaryDirectory(prefix="edge-rerank-python-") as own:
            environment = self.environment(folder, os.environ)
            if len(self.command) > 1:
                _stay_emulated(Path(own), self.command)
                environment["PYTHONPATH"] = own + os.pathsep + environment["PYTHONPATH"]
            return subprocess.run(
                [*self.command, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL if capture else None,
                stdout=subprocess.PIPE if capture else None,
                stderr=subprocess.STDOUT if capture else None,
                text=True,
                errors="replace",
                timeout=timeout,
            )


def _stay_emulated(folder: Path, command: Sequence[str]) -> None:
    """Make Python name a script as its own program, so that what it starts is emulated as well.

    Otherwise the kernel would be given the interpreter itself: to refuse it as another machine's,
    or, worse, to run it on this machine's CPU.
    """
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    script.chmod(0o755)
    # Python imports a module of this name when it starts.
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.executable = {str(script)!r}\n")


def host() -> Machine:
    """Return this machine itself."""
    return Machine((sys.executable,), None)


def emulated(cpu: EmulatedCpu) -> Machine:
    """Return an emulated CPU: this interpreter where it can run, or else the sysroot's."""
    here = host_machine()
    qemu = find_qemu(cpu.machine, here)
    # Without check=off QEMU lists the features that it leaves out at each start.
    model = f"{cpu.name},check=off" if cpu.machine == "x86_64" else cpu.name
    if cpu.machine == here:
        return Machine((str(qemu), "-cpu", model, sys.executable), None)
    sysroot = find_sysroot(cpu.machine)
    return Machine(_in_sysroot(qemu, model, sysroot), sysroot.packages)


def _in_sysroot(qemu: Path, model: str, sysroot: Sysroot) -> tuple[str, ...]:
    if not sysroot.python.is_file():
        raise EmulationError(f"{sysroot.python} is missing: run prepare --refresh")
    return (str(qemu), "-L", str(sysroot.root), "-cpu", model, str(sysroot.python))
