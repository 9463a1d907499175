"""Runs commands side by side, some at a time; where one fails, those beside it are ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from native.toolchain import BuildError

_PAUSE = 0.05  # seconds between two looks at what has ended; what is run takes far longer
_PATIENCE = 10.0  # seconds for what is interrupted to clean up
_SHOWN = 4000  # characters of what a command says; what ended it comes last


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and a folder that is its alone."""

    name: str
    """What an error calls it."""
    words: tuple[str, ...]
    folder: Path
    """Where it runs; removed when it has ended."""
    environment: Mapping[str, str]


def run_side_by_side(commands: Iterable[Command], most: int) -> list[str]:
    """Run commands, ``most`` at a time; return what each printed, in their order.

    A command is asked for when its turn has come, so a generator may make its folder then. Raises
    BuildError with the name of the first that fails. Nothing runs any longer when this ends, by
    whatever it ends: what each command has started is ended with it, on Windows by a Ctrl-C alone.
    """
    waiting = enumerate(commands)
    running: dict[int, _Running] = {}
    printed: dict[int, str] = {}
    more = True
    try:
        while more or running:
            while more and len(running) < most:
                number, command = next(waiting, (0, None))
                if command is None:
                    more = False
                else:
                    running[number] = _Running(command)
            time.sleep(_PAUSE)
            for number in [number for number, one in running.items() if one.has_ended()]:
                printed[number] = running.pop(number).printed()
    finally:
        _end(running.values())
    return [printed[number] for number in sorted(printed)]


@dataclass(slots=True)
class _Running:
    """A command that has been started, in a session of its own, as a group of processes."""

    command: Command
    out: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    err: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            self.command.words,
            cwd=self.command.folder, env=self.command.environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
        )  # fmt: skip

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def printed(self) -> str:
        """Return what it printed, and clean up; raises BuildError where it has failed."""
        with self.out, self.err:
            self.out.seek(0)
            self.err.seek(0)
            printed, said = (file.read().decode(errors="replace") for file in (self.out, self.err))
        self.clean_up()
        if self.process.returncode != 0:
            raise BuildError(f"{self.command.name} failed:\n{said[-_SHOWN:]}")
        return printed

    def send(self, number: int) -> None:
        """Send a signal to it and to all that it has started; on Windows, end it alone."""
        if os.name == "nt":
            self.process.terminate()
        elif not self.has_ended():  # after that, the number of the group may be another's
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def clean_up(self) -> None:
        self.out.close()
        self.err.close()
        shutil.rmtree(self.command.folder, ignore_errors=True)


def _end(running: Collection[_Running]) -> None:
    """Interrupt what runs, for it to remove what it made elsewhere, and kill it if it stays."""
    for one in running:
        one.send(signal.SIGINT)
    latest = time.monotonic() + _PATIENCE
    try:
        for one in running:
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(max(0.0, latest - time.monotonic()))
    finally:  # also where the user interrupts again
        for one in running:
            if not one.has_ended():
                one.send(getattr(signal, "SIGKILL", signal.SIGTERM))
                one.process.wait()
            one.clean_up()
