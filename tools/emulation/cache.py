"""A folder of things that take long to make: each is there whole, or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENVIRONMENT_VARIABLE = "EDGE_RERANK_EMULATION_CACHE"
STAMP = "made-of.json"


def cache_folder() -> Path:
    """Return the folder: EDGE_RERANK_EMULATION_CACHE, or one under the user's cache folder."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    user = os.environ.get("XDG_CACHE_HOME", "").strip() or "~/.cache"
    return Path(user).expanduser().absolute() / "edge-rerank" / "emulation"


def cached(
    name: str,
    ingredients: Mapping[str, Any],
    make: Callable[[Path], None],
    *,
    refresh: bool = False,
) -> Path:
    """Return the folder that ``make`` filled for these ingredients, filling it the first time.

    Args:
        name: what it is; part of the folder's name.
        ingredients: all that decides what comes out, as JSON values.
        make: fills the empty folder it is given. If it fails, nothing is kept.
        refresh: make it again even if it is there.
    """
    folder = cache_folder() / f"{name}-{fingerprint(ingredients)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(folder.parent / f".{name}.lock"):
        if refresh or not (folder / STAMP).is_file():
            _fill(folder, ingredients, make)
    return folder


def fingerprint(ingredients: Mapping[str, Any]) -> str:
    """Return a short text that is another one for other ingredients."""
    text = json.dumps(ingredients, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _fill(folder: Path, ingredients: Mapping[str, Any], make: Callable[[Path], None]) -> None:
    """Make it beside its place and rename it: what is under its name is whole."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
    partial.mkdir()
    try:
        make(partial)
        stamp = json.dumps(ingredients, indent=2, sort_keys=True)
        (partial / STAMP).write_text(stamp + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Wait until no other process makes the same thing."""
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
