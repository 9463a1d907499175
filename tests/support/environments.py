"""Fresh virtual environments that borrow this one's libraries, so that nothing is downloaded."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment of its own."""

    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.command("python")

    def command(self, name: str) -> Path:
        """Return the path of a command that is installed here."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / name

    def install(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Install with this interpreter's pip: no libraries, no network, no build environment."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install"]
        offline = ["--no-index", "--no-deps", "--no-build-isolation"]
        return subprocess.run(
            [*pip, *offline, *words],
            env={**os.environ, "EDGE_RERANK_TARGET": "", **variables},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def run(
        self,
        command: str,
        *words: str,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        given: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of this environment in ``folder``, with ``given`` on standard input."""
        return subprocess.run(
            [str(self.command(command)), *words],
            cwd=folder, env=variables, input=given, capture_output=True, text=True, check=False,
        )  # fmt: skip


def fresh_environment(folder: Path, *, libraries: bool = True) -> Environment:
    """Make an environment without our package; ``libraries`` are those of this interpreter."""
    venv.create(folder, with_pip=False)
    if libraries:
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        # Last on the path, and what is in there starts nothing: no hook of an editable
        # installation of ours is at work.
        (packages / "shared.pth").write_text("\n".join(shared_packages()) + "\n", "utf-8")
    return Environment(folder)


def shared_packages() -> list[str]:
    """Return the folders that this interpreter's libraries lie in."""
    return [entry for entry in sys.path if Path(entry).name.endswith("-packages")]
