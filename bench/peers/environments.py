"""Peers' environments: pinned versions, made once, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OWN = "own"
"""The environment that this process runs in; it has edge-rerank."""
REQUIREMENTS = Path(__file__).with_name("requirements")
ENVIRONMENTS = tuple(sorted(file.stem for file in REQUIREMENTS.glob("*.txt")))
_MADE = "made-from.txt"  # written last: what the environment was made from
Say = Callable[[str], None]


class EnvironmentMissingError(Exception):
    """A peer's environment is not there, or could not be made; the message says what to do."""


def cache_folder() -> Path:
    """Return this project's folder among the user's caches."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "edge-rerank" / "bench"


@dataclass(frozen=True, slots=True)
class Environments:
    """Where each environment's Python is."""

    cache: Path
    given: Mapping[str, Path]
    """Pythons that the user names, in place of environments made here."""

    def python(self, name: str) -> Path:
        """Return an environment's Python; raises EnvironmentMissingError when there is none."""
        if name == OWN:
            return Path(sys.executable)
        if name in self.given:
            if not self.given[name].is_file():
                raise EnvironmentMissingError(f"{self.given[name]}: there is no such Python")
            return self.given[name]
        folder = self._folder(name)
        if not _is_made(folder, _requirements(name)):
            raise EnvironmentMissingError(
                f"not installed: python -m edge_rerank_bench prepare {name}"
            )
        return _python(folder)

    def make(self, name: str, say: Say) -> Path:
        """Make an environment unless it is there; raises EnvironmentMissingError when pip fails."""
        if name in self.given or name == OWN:
            return self.python(name)
        folder, wanted = self._folder(name), _requirements(name)
        if not _is_made(folder, wanted):
            say(f"{name}: making the environment {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            _install(_python(folder), REQUIREMENTS / f"{name}.txt")
            (folder / _MADE).write_text(wanted, "utf-8")
        return _python(folder)

    def installed_bytes(self, name: str, roots: Sequence[str]) -> int:
        """Return the size on disk of distributions and all that they depend on."""
        sizes = json.loads(run_module(self.python(name), "worker.installed", roots))
        return sum(sizes.values())

    def _folder(self, name: str) -> Path:
        return self.cache / "environments" / name


def run_module(python: Path, module: str, arguments: Sequence[str]) -> str:
    """Run a module of ``worker`` with another Python; return what it printed.

    Raises subprocess.CalledProcessError, whose ``stderr`` says why.
    """
    done = subprocess.run(
        module_command(python, module, arguments),
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout


def module_command(python: Path, module: str, arguments: Sequence[str] = ()) -> list[str]:
    """Return the command that runs a module of ``worker``, isolated from this environment.

    The folder comes last on the path: nothing in it can stand for a library's own module.
    """
    start = (
        "import sys; sys.path.append(sys.argv.pop(1)); from importlib import import_module; "
        f"import_module({module!r}).main()"
    )
    bench = Path(__file__).resolve().parent.parent
    return [str(python), "-I", "-c", start, str(bench), *arguments]


def _install(python: Path, requirements: Path) -> None:
    # -I: what PYTHONPATH names would count as installed, and workers do not see it.
    command = [str(python), "-I", "-m", "pip", "install", "--quiet", "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EnvironmentMissingError(f"pip could not install {requirements.name}: {last}")


def _requirements(name: str) -> str:
    text = (REQUIREMENTS / f"{name}.txt").read_text("utf-8")
    return f"{hashlib.sha256(text.encode()).hexdigest()} Python {sys.version.split()[0]}\n"


def _is_made(folder: Path, wanted: str) -> bool:
    try:
        return (folder / _MADE).read_text("utf-8") == wanted
    except OSError:
        return False


def _python(folder: Path) -> Path:
    if sys.platform == "win32":
        return folder / "Scripts" / "python.exe"
    return folder / "bin" / "python"
