"""Commands side by side: each one's words in order, and nothing that runs on after a failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from native import side_by_side
from native.side_by_side import Command, run_side_by_side
from native.targets import Target
from native.toolchain import BuildError
from native.wheels import build_wheels

Make = Callable[..., Command]
LATEST = 60.0  # seconds, on a machine with much else to do
# Starts a process of its own, says which, and waits; cleans up where it is interrupted.
_PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
try:
    pathlib.Path(sys.argv[1]).write_text(f"{child.pid}\\n")
    time.sleep(600)
finally:
    pathlib.Path(sys.argv[2]).touch()
"""
_DEAF = """
import pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text("0\\n")
time.sleep(600)
"""
_FAIL = """
import pathlib, sys, time
while not pathlib.Path(sys.argv[1]).exists() or not pathlib.Path(sys.argv[1]).read_text():
    time.sleep(0.05)
sys.exit("no more ink")
"""
_INTERRUPTED = """
import os, sys
from pathlib import Path
from native.side_by_side import Command, run_side_by_side
folder = Path(sys.argv[1])
folder.mkdir()
words = (sys.executable, "-c", sys.argv[2], *sys.argv[3:])
run_side_by_side([Command("waiting", words, folder, os.environ)], 2)
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that makes a command of a program in Python, with a folder for it."""

    def made(name: str, program: str, *arguments: Path) -> Command:
        folder = tmp_path / name
        folder.mkdir()
        words = (sys.executable, "-c", program, *map(str, arguments))
        return Command(name, words, folder, os.environ)

    return made


def wait_for(what: Callable[[], bool]) -> None:
    latest = time.monotonic() + LATEST
    while not what():
        assert time.monotonic() < latest
        time.sleep(0.05)


def ends(process: int) -> None:
    """Wait until a process is there no longer, or is dead and has nobody to ask for its end."""

    def gone() -> bool:
        try:
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    wait_for(gone)


def test_what_each_printed_in_order(make: Make) -> None:
    programs = ["import time; time.sleep(1); print('one')", "print('two')", "print('three')"]
    commands = [make(str(number), program) for number, program in enumerate(programs)]
    assert run_side_by_side(commands, 2) == ["one\n", "two\n", "three\n"]
    assert not [command.folder for command in commands if command.folder.exists()]


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_at_a_time(make: Make, tmp_path: Path, most: int) -> None:
    # Each counts the marks that are there while it is: those beside it, and its own.
    program = """
import pathlib, sys, time
folder, own = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
own.touch()
time.sleep(0.3)
print(len(list(folder.glob("mark-*"))))
own.unlink()
"""
    asked: list[int] = []

    def commands() -> Iterator[Command]:
        for number in range(5):
            asked.append(len(list(tmp_path.glob("command-*"))))
            mark = tmp_path / f"mark-{number}"
            yield make(f"command-{number}", program, tmp_path, mark)

    counts = [int(text) for text in run_side_by_side(commands(), most)]
    assert max(counts) <= most
    assert max(asked) < most  # folders are made when the turn has come


def test_nothing_to_run() -> None:
    assert run_side_by_side([], 2) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_failure_is_named_and_ends_the_others(make: Make, tmp_path: Path) -> None:
    said, cleaned = tmp_path / "said", tmp_path / "cleaned"
    commands = [make("waiting", _PARENT, said, cleaned), make("printing", _FAIL, said)]
    never = make("never", "raise SystemExit('started')")
    with pytest.raises(BuildError, match=r"^printing failed:\nno more ink\n$"):
        run_side_by_side([*commands, never], 2)
    ends(int(said.read_text()))
    assert cleaned.exists()
    assert not [command.folder for command in commands if command.folder.exists()]
    assert never.folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_does_not_hear_is_killed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "_PATIENCE", 0.2)
    said = tmp_path / "said"
    with pytest.raises(BuildError, match="no more ink"):
        run_side_by_side([make("deaf", _DEAF, said), make("failing", _FAIL, said)], 2)
    assert not list(tmp_path.glob("deaf"))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_interrupt_ends_all(tmp_path: Path) -> None:
    said, cleaned, folder = tmp_path / "said", tmp_path / "cleaned", tmp_path / "folder"
    words = [sys.executable, "-c", _INTERRUPTED, str(folder), _PARENT, str(said), str(cleaned)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: said.exists() and bool(said.read_text()))
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=LATEST)
    assert "KeyboardInterrupt" in complaint
    ends(int(said.read_text()))
    assert cleaned.exists()
    assert not folder.exists()


@pytest.mark.build
def test_the_wheel_that_cannot_be_built_is_named(host: Target, tmp_path: Path) -> None:
    amiga = replace(host, name="amiga")
    with pytest.raises(BuildError, match=r"^build_wheel for amiga failed:\n(.*\n)*.*is 'amiga'"):
        build_wheels([amiga, host], tmp_path)
    assert not list(tmp_path.glob("*.whl"))
