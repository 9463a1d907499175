"""Fresh virtual environments that borrow this one's libraries, so that nothing is downloaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
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
            cwd=self.folder,  # in a clone, pip takes what a build left there for an installation
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


def fresh_environment(folder: Path, libraries: Sequence[str] | None = None) -> Environment:
    """Make an environment without our package; ``libraries`` are folders, default this one's."""
    venv.create(folder, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # Last on the path, and what is in there starts nothing: no hook of an editable installation
    # of ours is at work.
    shared = shared_packages() if libraries is None else libraries
    (packages / "shared.pth").write_text("\n".join(shared) + "\n", "utf-8")
    return Environment(folder)


def shared_packages() -> list[str]:
    """Return the folders that this interpreter's libraries lie in."""
    return [entry for entry in sys.path if Path(entry).name.endswith("-packages")]


def link_distributions(folder: Path, *names: str) -> Path:
    """Fill ``folder`` with links to distributions and to what they need, and to nothing else."""
    wanted, linked = list(names), set[str]()
    while wanted:
        name = wanted.pop()
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # needed on another platform or Python
            continue
        if found.name in linked:
            continue
        linked.add(found.name)
        lines = [line for line in found.requires or () if "extra ==" not in line]
        wanted += [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines]
        for top in {file.parts[0] for file in found.files or ()} - {".."}:
            (folder / top).unlink(missing_ok=True)
            (folder / top).symlink_to(Path(str(found.locate_file(top))))
    return folder
