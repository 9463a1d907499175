"""The library as distributions build it: CMake, the system's compiler, and flags of their own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.artifact.folder import Artifact
from edge_rerank.native_library import Library
from native.build import library_version, units
from native.targets import Target
from native.toolchain import ROOT
from tests.native.conftest import declared, missing

pytestmark = pytest.mark.build
QUERY = "list files by size"
TEXTS = ("ls -S prints the largest first.", "rm removes files.")
SHAPES = Path(__file__).with_name("tile_shapes_driver.cpp")
# GCC and clang name a CPU's features alike on x86-64; on ARM they are words of -march.
_HOSTILE = "-O2 -ffast-math"


def run(*command: str, **variables: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def build(host: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build and install below ``usr`` of the folder that is returned."""
    for name in ("cmake", "g++", "pkg-config"):
        if shutil.which(name) is None:
            missing(f"{name} is not installed")
    if host.system != "linux":
        pytest.skip("g++ is the compiler of Linux")
    folder = tmp_path_factory.mktemp("cmake")
    options = ["-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "-DCMAKE_INSTALL_LIBDIR=lib"]
    made = str(folder / "made")
    run("cmake", "-S", str(ROOT), "-B", made, *options, CXX="g++", CXXFLAGS=_HOSTILE)
    run("cmake", "--build", made, "--parallel", "2")
    run("cmake", "--install", made, "--prefix", str(folder / "usr"))
    return folder


def test_each_source_is_compiled_for_what_a_wheel_compiles_it_for(
    build: Path, host: Target
) -> None:
    commands = json.loads((build / "made" / "compile_commands.json").read_text())
    found = {Path(one["file"]): shlex.split(one["command"]) for one in commands}
    expected = {unit.source: unit.features for unit in units(host)}
    assert set(found) == set(expected)
    for source, features in expected.items():
        said = [word for word in found[source] if word.startswith("-m")]
        if host.is_x86:
            zig_names = {word[2:].replace("-", "_").replace("sse4.1", "sse4_1") for word in said}
            assert zig_names == set(features), source
        else:
            (march,) = said or ["-march=armv8-a"]
            assert march.split("+")[1:] == list(features), source
        assert "-ffp-contract=off" in found[source]
        assert found[source].index("-fno-fast-math") > found[source].index("-ffast-math")


def test_names_and_versions_are_a_distributions(build: Path) -> None:
    library = build / "usr" / "lib" / "libedge_rerank.so"
    assert library.is_symlink()
    assert "libedge_rerank.so.1" in run("objdump", "-p", str(library))
    names = [
        line.split()[-1]
        for line in run("nm", "-D", "--defined-only", str(library)).split("\n")
        if line
    ]
    assert {name for name in names if name != "EDGE_RERANK_1"} == {
        f"{name}@@EDGE_RERANK_1" for name in declared()
    }
    assert (build / "usr" / "include" / "edge_rerank.h").is_file()
    assert (build / "usr" / "lib" / "cmake" / "edge_rerank" / "edge_rerank-config.cmake").is_file()


def test_a_program_in_c_finds_it_and_gets_the_same_bits(
    build: Path, builtin: Artifact, library: Library, tmp_path: Path
) -> None:
    place = {"PKG_CONFIG_PATH": str(build / "usr" / "lib" / "pkgconfig")}
    assert run("pkg-config", "--modversion", "edge_rerank", **place).strip() == library_version()
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "edge_rerank", **place))
    source, program = str(ROOT / "example" / "rank.c"), str(tmp_path / "rank")
    run("cc", "-std=c99", source, *flags, "-o", program)
    with Reranker.load(engine="native") as reranker:
        hits = sorted(reranker.rank(QUERY, TEXTS), key=lambda hit: hit.index)
    place = {"LD_LIBRARY_PATH": str(build / "usr" / "lib")}
    for kernel in library.kernels:  # those that this CPU runs
        place["EDGE_RERANK_KERNEL"] = kernel
        printed = run(program, str(builtin.path), QUERY, *TEXTS, **place)
        assert [np.float32(line) for line in printed.split()] == [hit.logit for hit in hits], kernel


@pytest.mark.parametrize("optimisation", ["-O0", "-O2", "-O3"])
def test_tiles_get_the_shapes_that_were_written(
    optimisation: str, host: Target, tmp_path: Path
) -> None:
    if not host.is_x86:
        pytest.skip("AMX is of x86-64")
    if shutil.which("g++") is None:
        missing("g++ is not installed")
    program = str(tmp_path / "shapes")
    flags = ["-std=c++17", optimisation, "-mamx-tile", "-mamx-int8", f"-I{ROOT / 'src'}"]
    run("g++", *flags, str(SHAPES), "-o", program)
    run(program)
