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

from native.targets import TARGETS, Target
from native.toolchain import ROOT, BuildError

_MODEL = "edge_rerank/models/mini/"
_CALL = "import sys; from native import backend; print(backend.{}(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a wheel, as it is downloaded."""

    wheel: int
    own: int
    """What is left without the built-in model: compressed contents and their directory."""


def build_wheels(targets: Sequence[Target], output: Path) -> list[Path]:
    """Build a wheel for each target into ``output``; raises BuildError when one cannot be."""
    output = output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as scratch:
        source = _unpacked_source(Path(scratch))
        return [_build("build_wheel", source, output, target.name) for target in targets]


def build_source(output: Path) -> Path:
    """Build the source distribution into ``output``; raises BuildError when it cannot be."""
    return _build("build_sdist", ROOT.parent, output.resolve())


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


def _unpacked_source(scratch: Path) -> Path:
    archive = build_source(scratch)
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
    return scratch / archive.name.removesuffix(".tar.gz")


def _build(what: str, source: Path, output: Path, target: str = "") -> Path:
    environment = {**os.environ, "EDGE_RERANK_BUILD_NATIVE": "1", "EDGE_RERANK_TARGET": target}
    done = subprocess.run(
        [sys.executable, "-c", _CALL.format(what), str(output)],
        cwd=source, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BuildError(f"{what} failed for {target or 'the source'}:\n{done.stderr[-4000:]}")
    return output / done.stdout.splitlines()[-1]


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
        built = build_wheels([TARGETS[name] for name in options.target or TARGETS], options.output)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    for wheel in built:
        found = sizes(wheel)
        print(f"{wheel}: {found.wheel / 1e6:.2f} MB, {found.own / 1e6:.2f} MB without the model")
    return 0


if __name__ == "__main__":
    sys.exit(main())
