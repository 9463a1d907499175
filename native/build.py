"""Builds the engine: ``python -m native.build --output DIR``, from the repository's root.

Releases are compiled by zig's clang, which the package ``ziglang`` brings, for any target on any
machine. ``--sanitize`` takes the system's compiler instead and builds for this machine, and
``--program`` links a test driver with the same objects.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from native import objects
from native.targets import TARGETS, Target, host_target
from native.toolchain import ROOT, BuildError, Toolchain, system, zig

_VERSION_FILE = ROOT.parent / "edge_rerank" / "_version.py"
_JOBS = 2
_SHOWN = 4000  # characters of what a compiler says; the first errors are the ones that matter


@dataclass(frozen=True, slots=True)
class Unit:
    """One source file and the CPU features it is compiled for."""

    source: Path
    features: tuple[str, ...]


def library_version(path: Path = _VERSION_FILE) -> str:
    """Return the package's version without importing the package."""
    found = re.search(r'^__version__ = "([^"]+)"$', path.read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError(f'{path}: has no line __version__ = "..."')
    return found[1]


def units(target: Target, sources: Path = ROOT / "src") -> list[Unit]:
    """List the source files of a target; raises BuildError when a kernel's is missing."""
    kernels = {
        sources / "kernels" / f"{stem}.cpp" for one in TARGETS.values() for stem in one.kernels
    }
    found = [Unit(path, ()) for path in sorted(set(sources.rglob("*.cpp")) - kernels)]
    for stem, features in target.kernels.items():
        path = sources / "kernels" / f"{stem}.cpp"
        if not path.is_file():
            raise BuildError(f"{path}: the source of a kernel is missing")
        found.append(Unit(path, features))
    return found


def build_library(target: Target, output: Path) -> Path:
    """Compile a release for ``target`` and give the path of the library, in ``output``.

    Raises BuildError when there is no compiler or it finds fault with the sources.
    """
    toolchain = zig(target, library_version())
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as scratch:
        objects = compile_units(toolchain, units(target), Path(scratch))
        return _link_library(toolchain, objects, output)


def build_checked(sanitizers: str, programs: Sequence[Path], output: Path) -> list[Path]:
    """Build the library and test drivers for this machine with sanitizers; give their paths."""
    target = host_target()
    if target is None or target.system != "linux":
        raise BuildError("sanitizers are set up for x86-64 and 64-bit ARM Linux alone")
    toolchain = system(target, library_version(), sanitizers)
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as scratch:
        mains = [Unit(program, ()) for program in programs]
        made = compile_units(toolchain, [*mains, *units(target)], Path(scratch))
        own, objects = made[: len(mains)], made[len(mains) :]
        output.mkdir(parents=True, exist_ok=True)
        built = []
        if "fuzzer" not in sanitizers.split(","):  # libFuzzer's main makes programs alone
            built.append(_link_library(toolchain, objects, output))
        for program, main in zip(programs, own, strict=True):
            built.append(output / program.stem)
            run(toolchain.link_program([main, *objects], built[-1]))
    return built


def compile_units(toolchain: Toolchain, sources: Sequence[Unit], scratch: Path) -> list[Path]:
    """Compile each source into ``scratch``, two at a time; give the objects in the same order."""

    def compile_one(unit: Unit, number: int) -> Path:
        output = scratch / f"{number}-{unit.source.stem}.o"
        command = toolchain.compile(unit.source, output, unit.features)
        kept = objects.place(command, unit.source, output) if toolchain.zig else None
        if kept is None or not objects.fetch(kept, output):
            said = run(command)
            if kept is not None and not said:  # a warning is to be said by the next build too
                objects.keep(output, kept)
        return output

    with ThreadPoolExecutor(_JOBS) as pool:
        return list(pool.map(compile_one, sources, range(len(sources))))


def run(command: Sequence[str]) -> str:
    """Run a compiler; return its warnings, which go to standard error; raises BuildError."""
    done = subprocess.run(
        command, env=_environment(), capture_output=True, text=True, errors="replace", check=False
    )
    said = done.stderr.strip()[:_SHOWN]
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)}\nended with code {done.returncode}:\n{said}")
    if said:
        print(said, file=sys.stderr)
    return said


def _environment() -> dict[str, str]:
    """Return the environment of the compiler: one where zig finds a folder to cache in.

    What it compiled before, its C++ library above all, makes the next build a matter of seconds.
    """
    environment = dict(os.environ)
    home = os.path.expanduser("~")
    if not os.access(home, os.W_OK):
        fallback = os.path.join(tempfile.gettempdir(), "edge-rerank-zig-cache")
        environment.setdefault("ZIG_GLOBAL_CACHE_DIR", fallback)
    return environment


def _link_library(toolchain: Toolchain, objects: Sequence[Path], output: Path) -> Path:
    output.mkdir(parents=True, exist_ok=True)
    library = output / toolchain.target.library
    # Linked beside and moved: a process that has the old library mapped keeps it whole.
    with tempfile.TemporaryDirectory(prefix=".link-", dir=output) as scratch:
        linked = Path(scratch, library.name)
        run(toolchain.link_library(objects, linked))
        for made in Path(scratch).iterdir():  # Windows has an import library beside it
            os.replace(made, output / made.name)
    return library


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m native.build", description=__doc__)
    host = host_target()
    parser.add_argument("--output", type=Path, default=ROOT.parent / "build" / "native")
    parser.add_argument(
        "--target",
        choices=sorted(TARGETS),
        default=host and host.name,
        help="default: this machine",
    )
    parser.add_argument("--sanitize", metavar="LIST", help="such as address,undefined or thread")
    parser.add_argument(
        "--program", metavar="FILE", type=Path, action="append", default=[],
        help="a test driver in C++ to link with the engine, with --sanitize",
    )  # fmt: skip
    return parser


def main() -> int:
    """Build what the command line asks for and print the paths of what was built."""
    options = _parser().parse_args()
    try:
        if options.sanitize:
            built = build_checked(options.sanitize, options.program, options.output)
        elif options.target is None:
            raise BuildError("there is no build for this platform; name another with --target")
        else:
            built = [build_library(TARGETS[options.target], options.output)]
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(*built, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
