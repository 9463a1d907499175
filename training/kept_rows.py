"""Rows that take minutes to compute, kept as they come: a kill costs seconds of them.

On their way they lie in ``NAME.part``, with how far they have come in ``NAME.part.json``; a later
run goes on there, if it computes the same. When they are whole they are ``NAME``.
"""

import errno
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from edge_rerank.files import whole_file

from .errors import TrainingError

SAVE_SECONDS = 10.0
"""How much work a kill may cost."""

Fill = Callable[[np.ndarray, int], None]
"""Writes its rows of all rows, for the part of this number."""


def kept_rows(
    file: Path | None,
    shape: tuple[int, int],
    dtype: Any,
    parts: int,
    of: Callable[[], str],
    fill: Fill,
) -> np.ndarray:
    """Rows of this shape that ``fill`` writes, one part after the other; in memory without a file.

    With a file they are read where they lie. ``of`` gives a digest of what they are computed from:
    what an unfinished run left of something else is computed anew. Raises TrainingError for a
    finished file of another shape.
    """
    if file is None or not shape[0]:  # nothing can't be mapped
        rows = np.empty(shape, dtype)
        for part in range(parts):
            fill(rows, part)
        return rows
    if not file.exists():
        _compute(file, shape, dtype, parts, of(), fill)
    found: np.ndarray = np.load(file, mmap_mode="r")
    if found.shape != shape:
        raise TrainingError(
            f"{file.name} has {len(found)} rows of {math.prod(found.shape[1:])}, and {shape[0]} of "
            f"{shape[1]} are wanted: remove it to renew it"
        )
    return found


def _compute(
    file: Path, shape: tuple[int, int], dtype: Any, parts: int, of: str, fill: Fill
) -> None:
    begun, progress = file.with_name(f"{file.name}.part"), file.with_name(f"{file.name}.part.json")
    same = {"of": of, "rows": list(shape), "type": np.dtype(dtype).name, "parts": parts}
    done = _done(begun, progress, same)
    if done:
        rows = open_memmap(begun, mode="r+")
    else:
        progress.unlink(missing_ok=True)  # of other rows, which end here
        rows = open_memmap(begun, mode="w+", dtype=dtype, shape=shape)
        _reserve(begun)

    def save() -> None:
        rows.flush()
        with whole_file(progress) as stream:
            stream.write(json.dumps({**same, "done": done}).encode())

    saved = time.monotonic()
    try:
        while done < parts:
            fill(rows, done)
            done += 1
            if time.monotonic() - saved >= SAVE_SECONDS:
                save()
                saved = time.monotonic()
    finally:
        save()
    os.replace(begun, file)
    progress.unlink()


def _done(begun: Path, progress: Path, same: dict[str, Any]) -> int:
    """How many parts an earlier run left of the same rows."""
    try:
        left = json.loads(progress.read_text("utf-8"))
        done = int(left.pop("done"))
        np.load(begun, mmap_mode="r")  # whole, or it cannot be mapped
        return done if left == same else 0
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return 0


def _reserve(file: Path) -> None:
    """Take the file's room on the disk now: to map more than there is ends in a crash, later."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        with file.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return
        size = file.stat().st_size
        file.unlink()
        raise TrainingError(
            f"{file}: no room for its {size / 1e9:.2f} GB ({error.strerror}); make room, or give "
            "--work a folder on a larger disk"
        ) from error


def digest_of(inputs: Sequence[Any]) -> str:
    """What tells texts, or their ids, from others."""
    found = hashlib.sha256()
    for one in inputs:
        found.update(json.dumps(one).encode() + b"\n")
    return found.hexdigest()
