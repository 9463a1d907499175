"""The output folder: its unfinished part while a run is under way, and what is there in the end.

checkpoint/                    the tuned checkpoint
model/ or model-not-better/    its artifact
report.json                    appears last: the run is finished
unfinished/                    the state, and what is not kept
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_rerank.cli.leftovers import lock
from edge_rerank.errors import InputError

from .errors import TuningError
from .state import AGAIN, differing

REPORT = "report.json"
_UNFINISHED, _LOCK, _BEGUN = "unfinished", "lock", "begun.json"


class Place:
    """A run's output folder, which no other run may use meanwhile."""

    def __init__(self, output: str, *, resume: bool) -> None:
        """Create the folder, or go on in it; raises InputError where it cannot be that."""
        if not output:
            raise InputError("the output's name is empty; is the shell variable set?")
        self.root = Path(os.path.abspath(output))
        self._refuse_others(output, resume=resume)
        self._lock: int | None = None
        if self.finished is not None:
            return
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.work / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise InputError(f"{output}: cannot be written: {error.strerror or error}") from error
        if not lock(self._lock):
            raise InputError(f"{output}: another run is writing it; wait for it, or end it")

    @property
    def work(self) -> Path:
        """Where the state lies, and what is not kept."""
        return self.root / _UNFINISHED

    @property
    def checkpoint(self) -> Path:
        """Where the tuned checkpoint comes to lie."""
        return self.root / "checkpoint"

    @property
    def source(self) -> Path:
        """The checkpoint that is made of an artifact, where that is what is tuned."""
        return self.work / "source"

    @property
    def before(self) -> Path:
        """The artifact of the checkpoint as it was."""
        return self.work / "before"

    @property
    def after(self) -> Path:
        """The artifact of the tuned checkpoint, until it is known whether it is better."""
        return self.work / "after"

    @property
    def begun(self) -> bool:
        """Whether there is something to go on with."""
        nothing = (_LOCK, _BEGUN, self.source.name)  # the latter is made again in a second
        return self.work.is_dir() and any(path.name not in nothing for path in self.work.iterdir())

    @property
    def finished(self) -> dict[str, Any] | None:
        """Return the report of a finished run."""
        return read_json(self.root / REPORT)

    @property
    def judged(self) -> dict[str, Any] | None:
        """Return the report of a run that has only to be published."""
        return read_json(self.work / REPORT)

    def keep_begun(self, begun: Mapping[str, Any]) -> None:
        """Record what the run is begun with; raises InputError where it was another.

        The state says so as well, but the model before and what the teacher said come before it.
        """
        file, now = self.work / _BEGUN, json.loads(json.dumps(begun))
        then = read_json(file) if self.begun else None
        other = None if then is None else differing(then, now)
        if other is not None:
            raise InputError(f"{file}: was begun with {other}; {AGAIN}")
        write_json(file, now)

    def check_room(self, size: int) -> None:
        """Raise TuningError unless ``size`` more bytes fit on the file system."""
        free = shutil.disk_usage(self.root).free
        if free < size:
            raise TuningError(
                f"{self.root}: the run needs {size / 1e6:,.0f} MB here, and {free / 1e6:,.0f} MB "
                "are free; make room, or name a folder on another disk"
            )

    def publish(self, report: dict[str, Any]) -> None:
        """Put everything in its place, the report last; can be done again where it broke off."""
        write_json(self.work / REPORT, report)
        if report["model"] is not None and self.after.exists():
            os.rename(self.after, self.root / report["model"])
        os.replace(self.work / REPORT, self.root / REPORT)
        self.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def close(self) -> None:
        """Let others use the folder; nothing stays of a run that had nothing to keep yet."""
        if self._lock is None:
            return
        if not self.begun:
            shutil.rmtree(self.work, ignore_errors=True)
            if not any(self.root.iterdir()):
                self.root.rmdir()
        os.close(self._lock)
        self._lock = None

    def _refuse_others(self, output: str, *, resume: bool) -> None:
        if os.path.lexists(self.root) and not self.root.is_dir():
            raise InputError(f"{output}: exists and is not a folder; name another one")
        names = os.listdir(self.root) if self.root.is_dir() else []
        ours = _UNFINISHED in names or REPORT in names
        if names and not ours:
            raise InputError(f"{output}: is not empty; name a new folder, or remove this one first")
        if ours and not resume:
            found = "a finished run" if REPORT in names else "an unfinished run"
            raise InputError(
                f"{output}: holds {found}; go on with it by --resume, or name a new folder"
            )


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    from edge_rerank.cli.common import to_json
    from edge_rerank.files import whole_file

    with whole_file(path) as stream:
        stream.write((to_json(value) + "\n").encode("utf-8"))


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object in a file, or None where there is no file."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise TuningError(f"{path}: cannot be read as JSON: {error}; remove it") from error
    return value if isinstance(value, dict) else None
