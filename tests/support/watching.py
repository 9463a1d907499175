"""Commands watched from outside: which hosts they turn to, and what they leave behind.

Python's socket module is the wrong place to look: a library in C++ does not pass there.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The process stays for a while, in case something waits for a timer.
_STAY = """
import sys, time
from edge_rerank.cli import main
seconds, *words = sys.argv[1:]
code = main(words)
time.sleep(float(seconds))
sys.exit(code)
"""
# A call that turns to a host, or to systemd's look-up of names. The C library's own look-up, nscd,
# is asked for users as well; where it has no answer on hosts, a name server is asked next.
_OUTWARD = re.compile(r"\b(?:connect|send\w+)\(.*(?:sa_family=AF_INET6?\b|systemd/resolve)")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a command did."""

    code: int
    out: str
    err: str
    outward: list[str]
    """Calls that turned to a host."""
    left: list[str]
    """Files and folders in what was its home."""


class Watched:
    """A command that runs under strace, in a folder and with a home of its own."""

    def __init__(
        self, folder: Path, words: Sequence[str], *, seconds: float, **variables: str
    ) -> None:
        """Start it with no variables but PATH, HOME and ``variables``: none that marks CI."""
        self._home, self._calls = folder / "home", folder / "calls"
        self._home.mkdir(parents=True)
        watch = ["strace", "-f", "-qq", "-e", "trace=network", "-o", str(self._calls)]
        self._process = subprocess.Popen(
            [*watch, sys.executable, "-c", _STAY, str(seconds), *words],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self._home), **variables},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def terminate(self) -> None:
        """Send SIGTERM to the command, not to what watches it."""
        pid = self._process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        os.kill(int(child), signal.SIGTERM)

    def end(self) -> Seen:
        """Wait for its end."""
        out, err = self._process.communicate(timeout=600)
        calls = self._calls.read_text("utf-8", "replace").splitlines()
        left = sorted(str(path.relative_to(self._home)) for path in self._home.rglob("*"))
        outward = [line for line in calls if _OUTWARD.search(line)]
        return Seen(self._process.returncode, out, err, outward, left)


def why_not() -> str | None:
    """Return why nothing can be watched here; None where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-qq", "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() or f"strace ends with {done.returncode}" if done.returncode else None
