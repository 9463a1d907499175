"""The state of a run in one safetensors file, which is replaced whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edge_rerank.errors import InputError
from edge_rerank.files import is_partial, partial_name

from .errors import TuningError
from .progress import Progress

_FILE = "state.safetensors"
AGAIN = "leave out --resume and name a new --output to start again"


@dataclass(frozen=True, slots=True)
class State:
    """What a run goes on with; its tensors are called ``KIND.NAME``."""

    tensors: Mapping[str, Tensor]
    progress: Progress
    begun: Mapping[str, Any]

    def of_kind(self, kind: str) -> dict[str, Tensor]:
        """Return the tensors of a kind, under their names."""
        start = f"{kind}."
        return {
            name.removeprefix(start): value
            for name, value in self.tensors.items()
            if name.startswith(start)
        }


def differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Say in which option two runs differ; None where they do not."""
    for name, value in now.items():
        if then.get(name) != value:
            return f"another {name}, {then.get(name)!r}, and this is {value!r}"
    return None


def begun_with(folder: Path, name: str) -> Any:
    """Return what the state in a folder was begun with, by an option's name; None without one."""
    try:
        with safe_open(str(folder / _FILE), framework="pt") as stored:
            return json.loads(stored.metadata()["state"])["begun"].get(name)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None  # what is wrong with it is said where it is loaded


class StateFile:
    """Saves and loads the state in a folder."""

    def __init__(self, folder: Path, begun: Mapping[str, Any]) -> None:
        """Keep it in ``folder``; ``begun`` says what a run must have been begun with."""
        self.path, self._begun = folder / _FILE, json.loads(json.dumps(begun))

    def save(self, tensors: Mapping[str, Tensor], progress: Progress) -> None:
        """Replace the file; the old one stays where the new one cannot be written."""
        beside = self.path.with_name(partial_name())
        text = json.dumps({"progress": progress.to_json(), "begun": self._begun})
        try:
            save_file(dict(tensors), str(beside), metadata={"state": text})
            with beside.open("r+b") as stream:
                os.fsync(stream.fileno())
            os.replace(beside, self.path)
        except SafetensorError as error:  # which is how it tells of a full disk
            raise TuningError(f"{self.path}: cannot be written: {error}") from error
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()

    def load(self) -> State | None:
        """Return what was saved, or None; raises InputError for the state of another run."""
        for path in self.path.parent.iterdir():
            if is_partial(path.name) and path.is_file():
                path.unlink()  # a killed run's: the folder is ours alone
        if not self.path.exists():
            return None
        try:
            with safe_open(str(self.path), framework="pt") as stored:
                text = json.loads(stored.metadata()["state"])
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise TuningError(f"{self.path}: is damaged ({error}); {AGAIN}") from error
        self._check(text["begun"])
        return State(tensors, Progress.of_json(text["progress"]), text["begun"])

    def _check(self, then: Mapping[str, Any]) -> None:
        other = differing(then, self._begun)
        if other is not None:
            raise InputError(f"{self.path}: was begun with {other}; {AGAIN}")
