"""Starting other programs: quiet when they work, the end of what they said when they don't."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.emulation.errors import EmulationError

_LAST_LINES = 12


def run_quietly(
    command: Sequence[str | Path],
    *,
    remedy: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command; raise EmulationError with its last lines and the remedy if it fails."""
    words = [str(word) for word in command]
    if shutil.which(words[0]) is None:
        raise EmulationError(f"{words[0]} is not on this machine: {remedy}")
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise EmulationError(
            f"{' '.join(words)}\nended with {describe_exit(done.returncode)}: {remedy}\n"
            f"{last_lines(done.stdout)}"
        )


def last_lines(text: str) -> str:
    """Return the end of a program's output, indented."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-_LAST_LINES:])


def describe_exit(code: int) -> str:
    """Say in words how a program ended: an exit status, or the signal that killed it."""
    import signal

    number = -code if code < 0 else code - 128
    if code < 0 or code > 128:
        try:
            return signal.Signals(number).name
        except ValueError:
            pass
    return f"exit status {code}"
