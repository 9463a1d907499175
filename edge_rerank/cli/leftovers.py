"""What an earlier run left behind: the finished lines of an output that never became whole."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from edge_rerank.errors import InputError

_LONGEST_NAME = 255  # bytes, on every file system that matters
_ENDING = ".01234567.partial"
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Leftover:
    """Whole lines of a file, up to ``end``; what follows is a part of one."""

    path: Path
    lines: int
    end: int
    last: str
    """The last of them; empty where there is none."""


def partial_beside(path: Path) -> Path:
    """Return a new name, in the same folder, for a file that is not whole yet."""
    return path.with_name(f"{_stem(path.name)}.{os.urandom(4).hex()}.partial")


def find_leftover(path: Path) -> Leftover | None:
    """Find what an earlier run has finished: its partial file, or else the file itself.

    Of several the one with the most lines is taken. Raises InputError where a run is at work.
    """
    found = _partials(path)
    free = [beside for beside in found if _is_free(beside)]
    if found and not free:
        raise InputError(f"{found[0]}: another run is writing it; wait for it, or end it")
    best = max(map(whole_lines, free), key=lambda leftover: leftover.lines, default=None)
    if best is not None and best.lines:
        return best
    return whole_lines(path) if path.exists() else best


def remove_dead(path: Path) -> None:
    """Remove the partial files of runs that are at work no more, where nothing goes on after them.

    That is a Parquet file's case: it is of no use to anybody without its end.
    """
    for beside in _partials(path):
        if _is_free(beside):
            beside.unlink(missing_ok=True)


def whole_lines(path: Path) -> Leftover:
    """Count the whole lines of a file, and read the last."""
    lines, end, before, at = 0, 0, 0, 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            ends = [at + found.end() for found in re.finditer(b"\n", piece)]
            if ends:
                lines += len(ends)
                before, end = (ends[-2] if len(ends) > 1 else end), ends[-1]
            at += len(piece)
        stream.seek(before)
        last = stream.read(end - before)
    return Leftover(path, lines, end, last.decode("utf-8", "replace").rstrip("\r\n"))


def lock(number: int) -> bool:
    """Claim an open file for this process; False where another one has it.

    The claim ends with the process, however that ends. Where files cannot be locked, all is ours.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where an open file cannot be renamed or removed anyway
        return True
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network file system without locks
        return True
    return True


def _partials(path: Path) -> list[Path]:
    pattern = re.compile(re.escape(_stem(path.name)) + r"\.[0-9a-f]{8}\.partial")
    with os.scandir(path.parent) as entries:
        return [Path(entry.path) for entry in entries if pattern.fullmatch(entry.name)]


def _is_free(path: Path) -> bool:
    try:
        number = os.open(path, os.O_RDWR)
    except OSError:  # somebody else's
        return False
    try:
        return lock(number)
    finally:
        os.close(number)


def _stem(name: str) -> str:
    """Return the name, cut where an ending would make it too long for a file."""
    raw = os.fsencode(name)
    room = _LONGEST_NAME - len(_ENDING)
    if len(raw) <= room:
        return name
    mark = "~" + hashlib.sha256(raw).hexdigest()[:8]
    return os.fsdecode(raw[: room - len(mark)]) + mark
