"""Keeps compiled objects between builds, where EDGE_RERANK_OBJECT_CACHE names a folder for them.

zig keeps what it compiled too, but by the place of the sources: to pip, which builds in a scratch
folder, and in every new clone all is new.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from native.toolchain import ROOT, BuildError

VARIABLE = "EDGE_RERANK_OBJECT_CACHE"
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]+"([^"\n]+)"', re.MULTILINE)
_SOURCES = ROOT / "src"
_SEARCHED = (ROOT / "include", _SOURCES)


def place(command: Sequence[str], source: Path, output: Path) -> Path | None:
    """Return where the object of a command of zig's is kept; None where none is to be.

    The name is a digest of all that the object depends on: compiler, flags and the contents of
    every file that is included. Where those lie does not count, because releases hold no paths.
    """
    folder = os.environ.get(VARIABLE, "").strip()
    if not folder or not source.is_relative_to(_SOURCES):
        return None  # a test's own source may include what lies anywhere
    digest = hashlib.sha256(metadata.version("ziglang").encode())
    for word in command:
        if word not in (sys.executable, str(output)):
            digest.update(word.replace(str(ROOT), ".").encode() + b"\0")
    for path in sorted(set(_included(source, set()))):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return Path(folder, f"{digest.hexdigest()}.o")


def fetch(kept: Path, output: Path) -> bool:
    """Copy a kept object to ``output``; return whether there was one."""
    try:
        shutil.copyfile(kept, output)
    except FileNotFoundError:
        return False
    return True


def keep(output: Path, kept: Path) -> None:
    """Keep a copy of an object, whole or not at all; raises BuildError where that fails."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".keep-", dir=kept.parent) as scratch:
            copy = shutil.copyfile(output, Path(scratch, kept.name))
            os.replace(copy, kept)
    except OSError as error:
        raise BuildError(
            f"{VARIABLE} is {kept.parent}, where nothing can be kept: {error}"
        ) from error


def _included(file: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield the file and all of our own that it includes, whatever the conditions around them."""
    if file in seen:
        return
    seen.add(file)
    yield file
    for name in _INCLUDE.findall(file.read_bytes()):
        for folder in (file.parent, *_SEARCHED):
            path = folder / os.fsdecode(name)
            if path.is_file():
                yield from _included(path, seen)
