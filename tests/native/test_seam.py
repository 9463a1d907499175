"""What a kernel may ask of the plan and of the threads, which today's ask little of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from native.build import Unit, compile_units, library_version, run, units
from native.fuzz.seeds import TINY, write_artifact
from native.targets import Target
from native.toolchain import zig

pytestmark = pytest.mark.build
DRIVER = Path(__file__).with_name("seam_driver.cpp")
TILES = Path(__file__).with_name("plain_tiles.cpp")


def test_padded_inputs_tall_tiles_and_a_thread_s_stay(host: Target, tmp_path: Path) -> None:
    folders = [write_artifact(tmp_path / name, shape) for name, shape in TINY.items()]
    toolchain = zig(host, library_version())
    objects = compile_units(toolchain, [Unit(DRIVER, ()), Unit(TILES, ()), *units(host)], tmp_path)
    program = tmp_path / "seam"
    run(toolchain.link_program(objects, program))
    command = [str(program), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
