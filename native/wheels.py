"""Builds the wheels of all platforms: ``python -m native.wheels --output DIR``.

They are built from a source distribution, unpacked in a scratch folder, so that what a wheel is
made from is what is published, and the checkout is left alone. Needs ``setuptools`` and
``ziglang``, which the extra ``dev`` brings, and no network.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from native.checkout import copy_checkout
from native.side_by_side import Command, run_side_by_side
from native.targets import TARGETS, Target
from native.toolchain import ROOT, BuildError

_MODEL = "edge_rerank/models/mini/"
# Wheels at a time, of which each takes up to 350 MB. zig builds its C++ library for a platform when
# it links, which is two thirds of a build, and on two processors compiles one file of it at a time.
_MOST = 4
_CALL = "import sys; from native import backend; print(backend.{}(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a wheel, as it is downloaded."""

    wheel: int
    own: int
    """What is left without the built-in model: compressed contents and their directory."""


def build_wheels(targets: Sequence[Target], output: Path) -> list[Path]:
    """Build a wheel for each target into ``output``, as many at a time as there are processors.

    The targets differ. Raises BuildError when a wheel cannot be built; the others are given up.
    """
    output = output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as scratch:
        archive = build_source(Path(scratch))
        commands = (
            Command(
                name=f"build_wheel for {target.name}",
                words=_words("build_wheel", output),
                folder=_unpack(archive, Path(scratch, target.name)),
                environment=_environment(target.name),
            )
            for target in targets
        )
        printed = run_side_by_side(commands, min(_MOST, _processors()))
    return [output / text.splitlines()[-1] for text in printed]


def build_source(output: Path) -> Path:
    """Build the source distribution into ``output``; raises BuildError when it cannot be.

    From a copy of the checkout: setuptools gathers the files in the tree that it reads.
    """
    output = output.resolve()
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as scratch:
        done = subprocess.run(
            _words("build_sdist", output),
            cwd=copy_checkout(Path(scratch)),
            env=_environment(""), capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise BuildError(f"build_sdist failed:\n{done.stderr[-4000:]}")
    return output / done.stdout.splitlines()[-1]


def sizes(wheel: Path) -> Sizes:
    """Measure a wheel, whole and without the built-in model."""
    with zipfile.ZipFile(wheel) as archive:
        model = sum(
            member.compress_size
            for member in archive.infolist()
            if member.filename.startswith(_MODEL)
        )
    whole = wheel.stat().st_size
    return Sizes(whole, whole - model)


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack the source distribution for one build: setuptools builds in the tree that it reads."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def _words(what: str, output: Path) -> tuple[str, ...]:
    return (sys.executable, "-c", _CALL.format(what), str(output))


def _environment(target: str) -> dict[str, str]:
    return {**os.environ, "EDGE_RERANK_BUILD_NATIVE": "1", "EDGE_RERANK_TARGET": target}


def _processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m native.wheels", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT.parent / "dist")
    parser.add_argument(
        "--target", action="append", choices=sorted(TARGETS), help="may be repeated; default: all"
    )
    return parser


def main() -> int:
    """Build what the command line asks for and print each wheel's path and sizes."""
    options = _parser().parse_args()
    try:
        names = dict.fromkeys(options.target or TARGETS)  # each once
        built = build_wheels([TARGETS[name] for name in names], options.output)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    for wheel in built:
        found = sizes(wheel)
        print(f"{wheel}: {found.wheel / 1e6:.2f} MB, {found.own / 1e6:.2f} MB without the model")
    return 0


if __name__ == "__main__":
    sys.exit(main())
