"""The library and the example in C, built by zig for a platform that something here can run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from native.build import build_library
from native.targets import Target
from native.toolchain import ROOT


def build_example(target: Target, folder: Path, name: str, *options: str) -> Path:
    """Build both into a folder; return the program, which is called ``name``."""
    build_library(target, folder)
    command = [sys.executable, "-m", "ziglang", "cc", "-O2", "-std=c99", "-target", target.triple]
    command += [*options, f"-I{ROOT / 'include'}", str(ROOT / "example" / "rank.c")]
    made = folder / name
    subprocess.run([*command, f"-L{folder}", "-ledge_rerank", "-o", str(made)], check=True)
    return made
