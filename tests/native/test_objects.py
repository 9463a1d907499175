"""Compiled objects that are kept: found again from anywhere, and never for other contents."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from native.objects import VARIABLE
from native.targets import Target
from native.toolchain import ROOT

pytestmark = [pytest.mark.build, pytest.mark.usefixtures("host")]
# Compiles two sources and prints which of them took a compiler, and the objects' digests.
_BUILD = """
import hashlib, sys
from pathlib import Path
from native import build
from native.targets import TARGETS
from native.toolchain import zig
ran, compiler = [], build.run
def counting(command):
    ran.append(next(Path(word).name for word in command if word.endswith(".cpp")))
    return compiler(command)
build.run = counting
target, version, scratch = TARGETS[sys.argv[1]], sys.argv[2], Path(sys.argv[3])
units = [build.Unit(build.ROOT / "src" / name, ()) for name in ("base/line.cpp", "base/utf8.cpp")]
scratch.mkdir(exist_ok=True)
made = build.compile_units(zig(target, version), units, scratch)
print(*sorted(ran), "|", *(hashlib.sha256(path.read_bytes()).hexdigest() for path in made))
"""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return two copies of the sources."""
    copies = tmp_path / "one", tmp_path / "other"
    for folder in copies:
        shutil.copytree(ROOT, folder / "native", ignore=shutil.ignore_patterns("__pycache__"))
    return copies


def build(
    folder: Path, host: Target, cache: Path | None, version: str = "1"
) -> tuple[list[str], str]:
    """Build in a folder; return what was compiled, and the digests of the objects."""
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, host.name, version, str(folder / "objects")],
        cwd=folder, env=environment(cache), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ran, _, digests = done.stdout.partition("|")
    return ran.split(), digests


def environment(cache: Path | None) -> dict[str, str]:
    without = {key: text for key, text in os.environ.items() if key != VARIABLE}
    return without if cache is None else {**without, VARIABLE: str(cache)}


BOTH = ["line.cpp", "utf8.cpp"]


def test_another_place_compiles_nothing_anew(
    folders: tuple[Path, Path], host: Target, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    one, other = folders
    compiled, digests = build(one, host, cache)
    assert compiled == BOTH
    assert build(other, host, cache) == ([], digests)
    assert build(other, host, None)[0] == BOTH
    assert not [path for path in cache.iterdir() if path.suffix != ".o"]


def test_what_differs_is_compiled(folders: tuple[Path, Path], host: Target, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    one, other = folders
    build(one, host, cache)
    assert build(other, host, cache, version="2")[0] == BOTH  # a flag
    header = other / "native" / "src" / "base" / "line.h"
    header.write_text(header.read_text() + "\n// changed\n")
    assert build(other, host, cache)[0] == ["line.cpp"]
    source = other / "native" / "src" / "base" / "utf8.cpp"
    source.write_text(source.read_text() + "\n#error not today\n")
    with pytest.raises(AssertionError, match="not today"):
        build(other, host, cache)


def test_a_warning_is_said_by_every_build(
    folders: tuple[Path, Path], host: Target, tmp_path: Path
) -> None:
    source = folders[0] / "native" / "src" / "base" / "utf8.cpp"
    source.write_text(source.read_text() + "\nstatic int unused;\n")
    for _ in range(2):
        assert "utf8.cpp" in build(folders[0], host, tmp_path / "cache")[0]


# Keeps an object of its own under the common name and fetches what is there, many times over.
_AT_ONCE = """
import sys
from pathlib import Path
from native.objects import fetch, keep
own, kept, fetched = map(Path, sys.argv[2:])
own.write_bytes(sys.argv[1].encode() * 1_000_000)
for _ in range(50):
    keep(own, kept)
    assert fetch(kept, fetched)
    content = fetched.read_bytes()
    assert content == content[:1] * 1_000_000
"""


def test_builds_at_once_find_objects_whole(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "kept.o"
    running = [
        subprocess.Popen([
            *(sys.executable, "-c", _AT_ONCE, name),
            *map(str, (tmp_path / f"{name}.o", kept, tmp_path / f"{name}-fetched.o")),
        ])
        for name in "abcd"
    ]  # fmt: skip
    assert [process.wait() for process in running] == [0] * 4
    assert list(kept.parent.iterdir()) == [kept]
