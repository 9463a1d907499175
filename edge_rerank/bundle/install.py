#!/usr/bin/env python3
"""Installs edge-rerank from the kit that this file lies in: ``python3 install DIR``.

Needs Python and nothing else: no network, no HOME, no pip of the system's. Nothing outside DIR is
written. The exit code is that of ``edge-rerank verify``: 0 where the scores hold on this machine,
2 where the kit does not fit it or DIR is taken, 1 for all else. An installation that was cut off,
whatever ended it, is begun anew by the same command; DIR has no command edge-rerank before all
that it needs is there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

KIT = Path(__file__).resolve().parent
UNFINISHED = "edge-rerank-unfinished.txt"
"""Lies in the folder from the first moment until all is installed, and is locked meanwhile."""
_SAID = "This installation has not come to its end: run the kit's install again.\n"
_OURS = frozenset(
    {"bin", "include", "lib", "lib64", "share", "model", "pyvenv.cfg", ".gitignore", UNFINISHED}
)


def main(words: list[str]) -> int:
    """Install into the folder that ``words`` name; return the exit code."""
    if len(words) != 1 or words[0].startswith("-"):
        print("usage: python3 install DIR", file=sys.stderr)
        return 0 if words in (["-h"], ["--help"]) else 2
    folder = Path(words[0]).absolute()
    problem = misfit() or taken(folder) or damage()
    if problem:
        print(f"install: {problem}", file=sys.stderr)
        return 2
    try:
        return fill(folder)
    except OSError as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("install: interrupted; the same command begins anew", file=sys.stderr)
        return 130


def fill(folder: Path) -> int:
    """Install into a folder that is new, or was begun by an earlier run; return the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / UNFINISHED
    with mark.open("r+" if mark.exists() else "x", encoding="utf-8") as held:
        if not lock(held.fileno()) or not mark.exists():  # the other one has just ended
            print(f"install: another installation into {folder} is running", file=sys.stderr)
            return 2
        held.write(_SAID)
        held.flush()
        clear(folder)
        failed = install(folder, held.fileno())
        if failed:
            print(f"install: {failed}", file=sys.stderr)
            return 1
        if sys.platform != "win32":  # which removes no open file
            os.sync()  # a power failure now must not leave half of it without the mark
            mark.unlink()
    mark.unlink(missing_ok=True)
    return verify(folder)


def misfit() -> str | None:
    """Return why this Python cannot take the kit; None where it can."""
    wanted = json.loads((KIT / "kit.json").read_text("utf-8"))
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if here != wanted["python"]:
        return f"the kit is for Python {wanted['python']}, this is {here}; make one for {here}"
    if sys.maxsize < 2**32:
        return "this is a 32-bit Python; edge-rerank needs a 64-bit one"
    return None


def taken(folder: Path) -> str | None:
    """Return why the folder cannot be filled; None where it can."""
    if not os.path.lexists(folder):
        return None
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {"a file"}
    if UNFINISHED not in names:
        return f"{folder} exists; name a new folder" if names else None
    others = sorted(name for name in names if name.lower() not in _OURS | {"scripts"})
    if others:
        return (
            f"an installation into {folder} was cut off, and {others[0]} is not of its making; "
            "move that away, or name a new folder"
        )
    return None


def lock(file: int) -> bool:
    """Lock an open file until this process and those that it starts have ended."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # another errno: a file system that has no locks
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


def clear(folder: Path) -> None:
    """Remove what an earlier installation left, all but the mark."""
    for path in folder.iterdir():
        if path.name == UNFINISHED:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def damage() -> str | None:
    """Return which file is not what the kit's maker sealed; None where all are."""
    for line in (KIT / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, _, name = line.partition("  ")
        try:
            found = hashlib.sha256((KIT / name).read_bytes()).hexdigest()
        except OSError as error:
            return f"the kit is not whole: {error}"
        if found != digest:
            return f"the kit is damaged: {name} has another SHA-256 than SHA256SUMS says"
    return None


def install(folder: Path, held: int) -> str | None:
    """Make the environment and fill it; return what went wrong, or None.

    Our own wheel comes last, and with it the command. ``held`` is an open file that the programs
    which are run here keep locked, should this one end before them.
    """
    venv = [sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)]
    if run(venv, held) != 0:
        return f"no environment could be made in {folder}"
    wheels = sorted((KIT / "wheels").glob("*.whl"))
    own = [path for path in wheels if path.name.startswith("edge_rerank-")]
    others = [path for path in wheels if path not in own and not path.name.startswith("pip-")]
    failed = pip_install(folder, others, held)
    model = KIT / "model"
    if model.is_dir() and not failed:
        target = folder / "model"
        target.mkdir()
        for path in sorted(model.iterdir()):
            (target / path.name).write_bytes(path.read_bytes())
    return failed or pip_install(folder, own, held)


def pip_install(folder: Path, wheels: Sequence[Path], held: int) -> str | None:
    """Install wheels with the kit's pip; return what went wrong, or None."""
    pip = next((KIT / "wheels").glob("pip-*.whl"))
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as home:
        clean = {key: text for key, text in os.environ.items() if not key.startswith("PIP_")}
        clean.update(HOME=home, PYTHONPATH=str(pip), PYTHONDONTWRITEBYTECODE="1")
        command = [str(program(folder, "python")), "-m", "pip", "install", "--quiet"]
        offline = ["--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
        if run([*command, *offline, *map(str, wheels)], held, clean) != 0:
            return "pip could not install the kit's wheels; is it the right platform's?"
    return None


def run(command: Sequence[str], held: int, variables: dict[str, str] | None = None) -> int:
    """Run a program that keeps ``held`` open; return its exit code."""
    inherited = () if os.name == "nt" else (held,)
    return subprocess.run(command, env=variables, pass_fds=inherited, check=False).returncode


def verify(folder: Path) -> int:
    """Prove that the scores hold here; return the exit code."""
    command = program(folder, "edge-rerank")
    model = [str(folder / "model")] if (folder / "model").is_dir() else []
    code = subprocess.run([str(command), "verify", *model], check=False).returncode
    if code == 0:
        named = " ".join(["--model", *model]) if model else ""
        print(f'installed: {command} rank {named} "a query" "a passage" "another"')
    return code


def program(folder: Path, name: str) -> Path:
    """Return the path of a program of the environment."""
    if os.name == "nt":
        return folder / "Scripts" / f"{name}.exe"
    return folder / "bin" / name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
