"""Rows that are kept while they are computed: interrupted, killed, of something else, whole."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank_training import kept_rows as module
from edge_rerank_training.errors import TrainingError
from edge_rerank_training.kept_rows import digest_of, kept_rows

PARTS, EACH, WIDTH = 7, 3, 5
SHAPE = (PARTS * EACH, WIDTH)


class StoppedError(Exception):
    """What ends a run in these tests."""


class Filling:
    """Fills rows with their part's number, and counts; stops at one part when it is told to."""

    def __init__(self, stop: int | None = None, fault: type[BaseException] = StoppedError) -> None:
        self.parts: list[int] = []
        self._stop, self._fault = stop, fault

    def __call__(self, rows: np.ndarray, part: int) -> None:
        if part == self._stop:
            raise self._fault
        rows[part * EACH : (part + 1) * EACH] = part
        self.parts.append(part)


def kept(file: Path | None, fill: Any, of: str = "texts", parts: int = PARTS) -> np.ndarray:
    return kept_rows(file, SHAPE, np.float32, parts, lambda: of, fill)


def expected() -> np.ndarray:
    return np.repeat(np.arange(PARTS, dtype=np.float32), EACH)[:, None].repeat(WIDTH, axis=1)


@pytest.mark.parametrize("fault", [StoppedError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_run_is_gone_on_with(tmp_path: Path, fault: type[BaseException]) -> None:
    file = tmp_path / "rows.npy"
    with pytest.raises(fault):
        kept(file, Filling(4, fault))
    assert not file.exists()
    rest = Filling()
    np.testing.assert_array_equal(kept(file, rest), expected())
    assert rest.parts == [4, 5, 6]
    assert os.listdir(tmp_path) == ["rows.npy"]
    never = Filling()
    np.testing.assert_array_equal(kept(file, never), expected())
    assert never.parts == []


def test_without_a_file_all_is_in_memory(tmp_path: Path) -> None:
    np.testing.assert_array_equal(kept(None, Filling()), expected())


@pytest.mark.parametrize("changed", [{"of": "other texts"}, {"parts": PARTS + 1}])
def test_what_is_left_of_something_else_is_computed_anew(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    file = tmp_path / "rows.npy"
    with pytest.raises(StoppedError):
        kept(file, Filling(4), **changed)
    fill = Filling()
    np.testing.assert_array_equal(kept(file, fill), expected())
    assert fill.parts == list(range(PARTS))


@pytest.mark.parametrize("damage", ["progress", "part", "short part", "strange progress"])
def test_a_damaged_rest_is_computed_anew(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "rows.npy"
    with pytest.raises(StoppedError):
        kept(file, Filling(4))
    part, progress = tmp_path / "rows.npy.part", tmp_path / "rows.npy.part.json"
    assert part.exists()
    assert progress.exists()
    if damage == "progress":
        progress.write_bytes(progress.read_bytes()[:-4])
    elif damage == "strange progress":
        progress.write_text('["done"]')
    elif damage == "part":
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:-4])
    fill = Filling()
    np.testing.assert_array_equal(kept(file, fill), expected())
    assert fill.parts == list(range(PARTS))


def test_a_finished_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.npy"
    np.save(file, np.zeros((2, 3), np.float32))
    with pytest.raises(TrainingError, match=r"rows.npy has 2 rows of 3, and 21 of 5 are wanted"):
        kept(file, Filling())


def test_no_rows_are_no_file(tmp_path: Path) -> None:
    found = kept_rows(tmp_path / "rows.npy", (0, 4), np.float16, 0, str, Filling())
    assert found.shape == (0, 4)


def test_a_full_disk_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    fill = Filling()
    with pytest.raises(TrainingError, match=r"no room for its .* GB .*No space left on device"):
        kept(tmp_path / "rows.npy", fill)
    assert fill.parts == []
    assert os.listdir(tmp_path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from edge_rerank_training import kept_rows as module

module.SAVE_SECONDS = 0.0

def fill(rows, part):
    if part == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    rows[part * 3 : (part + 1) * 3] = part

module.kept_rows(Path(sys.argv[1]), (21, 5), np.float32, 7, lambda: "texts", fill)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no signal 9 here")
def test_a_run_that_is_killed_is_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "rows.npy"
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)
    assert done.returncode == -signal.SIGKILL
    rest = Filling()
    np.testing.assert_array_equal(kept(file, rest), expected())
    assert rest.parts == [4, 5, 6]


def test_it_is_saved_as_often_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    saved: list[Path] = []
    real = module.whole_file

    def counted(file: Path) -> Any:
        saved.append(file)
        return real(file)

    monkeypatch.setattr(module, "whole_file", counted)
    kept(tmp_path / "rows.npy", Filling())
    assert 3 <= len(saved) <= 5  # of seven parts, 6 seconds each, every 10 seconds; and at the end


def test_digests_tell_inputs_apart() -> None:
    inputs: list[list[Any]] = [["a", "b"], ["ab"], ["a\nb"], ["b", "a"], [["a"], "b"], [[1, 2]]]
    assert len({digest_of(one) for one in inputs}) == len(inputs)
    assert digest_of(["a", "b"]) == digest_of(("a", "b"))
