#!/usr/bin/env python3
"""Installs edge-rerank from the kit that this file lies in: ``python3 install DIR``.

Needs Python and nothing else: no network, no HOME, no pip of the system's. Nothing outside DIR is
written. The exit code is that of ``edge-rerank verify``: 0 where the scores hold on this machine,
2 where the kit does not fit it or DIR is taken, 1 for all else.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

KIT = Path(__file__).resolve().parent


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
    failed = install(folder)
    if failed:
        print(f"install: {failed}", file=sys.stderr)
        return 1
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
    if folder.is_dir() and not any(folder.iterdir()):
        return None
    return f"{folder} exists; name a new folder" if os.path.lexists(folder) else None


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


def install(folder: Path) -> str | None:
    """Make the environment and fill it; return what went wrong, or None."""
    wheels = KIT / "wheels"
    pip = next(wheels.glob("pip-*.whl"))
    others = [str(path) for path in sorted(wheels.glob("*.whl")) if path != pip]
    venv = [sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)]
    if subprocess.run(venv, check=False).returncode != 0:
        return f"no environment could be made in {folder}"
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as home:
        clean = {key: text for key, text in os.environ.items() if not key.startswith("PIP_")}
        clean.update(HOME=home, PYTHONPATH=str(pip), PYTHONDONTWRITEBYTECODE="1")
        command = [str(program(folder, "python")), "-m", "pip", "install", "--quiet"]
        offline = ["--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
        done = subprocess.run([*command, *offline, *others], env=clean, check=False)
    if done.returncode != 0:
        return "pip could not install the kit's wheels; is it the right platform's?"
    model = KIT / "model"
    if model.is_dir():
        target = folder / "model"
        target.mkdir()
        for path in sorted(model.iterdir()):
            (target / path.name).write_bytes(path.read_bytes())
    return None


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
