"""Debian and Ubuntu packages, of this or another architecture, without touching the system.

apt-get is given state and cache folders of its own and an empty list of installed packages. So
it needs no root, the machine need not know the other architecture, and the packages that a
package depends on are found by apt's own resolver. Sources, proxies and keys are the system's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tools.emulation.commands import run_quietly
from tools.emulation.errors import EmulationError

SOURCES_VARIABLE = "EDGE_RERANK_EMULATION_SOURCES"
_REMEDY = (
    "this needs a Debian or Ubuntu with apt-get, dpkg and working package sources; if those have "
    f"no packages for this architecture (Ubuntu keeps arm64 apart), set {SOURCES_VARIABLE} to a "
    "sources file (.list or .sources) that has"
)


def sources_file() -> str | None:
    """Return the sources file to use instead of the system's, if one is named."""
    return os.environ.get(SOURCES_VARIABLE, "").strip() or None


def unpack_packages(
    names: Sequence[str], architecture: str, into: Path, *, dependencies: bool
) -> None:
    """Download packages, checked by apt, and unpack them into a folder, without their scripts.

    ``into`` must not exist; a folder beside it is used for the downloads.
    """
    work = into.with_name(f"{into.name}.apt")
    apt = _apt(work, architecture)
    run_quietly([*apt, "update"], remedy=_REMEDY)
    if dependencies:
        run_quietly([*apt, "install", "--download-only", "--yes", *names], remedy=_REMEDY)
        packages = sorted((work / "cache/archives").glob("*.deb"))
    else:
        run_quietly([*apt, "download", *names], remedy=_REMEDY, folder=work)
        packages = sorted(work.glob("*.deb"))
    if not packages:
        raise EmulationError(f"apt-get downloaded nothing for {', '.join(names)}: {_REMEDY}")
    _merge_usr(into)
    for package in packages:
        run_quietly(["dpkg", "--extract", package, into], remedy=_REMEDY)


def _merge_usr(root: Path) -> None:
    """Make the links that an installed system has: newer packages have their files in /usr."""
    for name in ("bin", "lib", "sbin"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")


def _apt(work: Path, architecture: str) -> list[str]:
    """Return the start of an apt-get command that works in a folder of its own."""
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "installed").touch()
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Install-Recommends": "false",
        # As root apt downloads as another user, who may not reach this folder.
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
        "Dir::State": work / "state",
        "Dir::State::status": work / "installed",
        "Dir::Cache": work / "cache",
    }
    chosen = sources_file()
    if chosen is not None:
        options |= {"Dir::Etc::sourcelist": Path(chosen).absolute(), "Dir::Etc::sourceparts": "-"}
    return ["apt-get", "-qq", *(f"--option={key}={value}" for key, value in options.items())]
