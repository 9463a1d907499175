"""The lanes of each kernel against the scalar ones, number by number, where no score shows it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_rerank.native_library import Library
from native.build import Unit, compile_units, library_version, run, units
from native.targets import TARGETS, Target
from native.toolchain import zig

OPERATIONS = Path(__file__).with_name("lane_operations.cpp")
DOUBLE_SUMS = Path(__file__).with_name("lanes_driver.cpp")
FUNCTIONS = Path(__file__).with_name("kernel_functions.cpp")
TILES = Path(__file__).with_name("plain_tiles.cpp")
X86 = Path(__file__).with_name("x86_driver.cpp")
KERNELS = sorted({stem for target in TARGETS.values() for stem in target.kernels})


def run_clean(host: Target, sources: Sequence[Unit], tmp_path: Path) -> None:
    """Build a program and run it; it ends with 0, and says nothing."""
    toolchain = zig(host, library_version())
    objects = compile_units(toolchain, sources, tmp_path)
    program = tmp_path / "lanes"
    run(toolchain.link_program(objects, program))
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.build
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_operation_on_lanes(
    kernel: str, library: Library, host: Target, tmp_path: Path
) -> None:
    if kernel not in library.kernels:
        pytest.skip(f"this CPU does not run the kernel {kernel}")
    if kernel == "scalar":
        pytest.skip("the others are compared with it, and it with plain C++")
    source = tmp_path / f"{kernel}.cpp"
    source.write_text(
        f'#define KERNEL {kernel}\n#define KERNEL_SOURCE "kernels/{kernel}.cpp"\n'
        f'#include "{OPERATIONS}"\n',
        "utf-8",
    )
    run_clean(host, [Unit(source, host.kernels[kernel])], tmp_path)


@pytest.mark.build
def test_every_function_of_every_kernel(host: Target, tmp_path: Path) -> None:
    run_clean(host, [Unit(FUNCTIONS, ()), Unit(TILES, ()), *units(host)], tmp_path)


@pytest.mark.build
def test_products_rounded_once_without_a_fused_instruction(host: Target, tmp_path: Path) -> None:
    if not host.is_x86:
        pytest.skip("the kernel sse41 is for x86-64")
    run_clean(host, [Unit(DOUBLE_SUMS, host.kernels["sse41"])], tmp_path)


@pytest.mark.build
def test_what_is_made_of_a_cpu_s_answers(host: Target, tmp_path: Path) -> None:
    run_clean(host, [Unit(X86, ()), *units(host)], tmp_path)


def test_matrix_tiles_on_machines_that_have_them(library: Library, host: Target) -> None:
    if "amx_int8" not in host.kernels:
        pytest.skip("matrix tiles are for x86-64")
    if "amx_int8" not in library.kernels:
        pytest.skip("this CPU has no matrix tiles: amx_int8 was tested on tiles in plain C++ alone")
    assert library.kernels[0] == "amx_int8"
