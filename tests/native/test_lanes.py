"""The lanes of a kernel against the scalar ones, number by number, where no score would show it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from native.build import Unit, compile_units, library_version, run
from native.targets import Target
from native.toolchain import zig

DRIVER = Path(__file__).with_name("lanes_driver.cpp")


def test_products_rounded_once_without_a_fused_instruction(host: Target, tmp_path: Path) -> None:
    if not host.is_x86:
        pytest.skip("the kernel sse41 is for x86-64")
    toolchain = zig(host, library_version())
    objects = compile_units(toolchain, [Unit(DRIVER, host.kernels["sse41"])], tmp_path)
    program = tmp_path / "lanes"
    run(toolchain.link_program(objects, program))
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
