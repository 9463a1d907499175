"""The library as zig's compiler builds it: for each platform, and for old machines of each."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from native.build import compile_units, library_version, units
from native.targets import TARGETS, Target, host_target
from native.toolchain import BuildError, zig
from tests.native.binaries import read, weak_symbols
from tests.native.conftest import declared

FORMATS = {"linux": "ELF", "macos": "Mach-O", "windows": "PE"}
# zig's linker for macOS has no list of exports. There, a library's own operator new and delete
# are always visible to others, which is sound: they all use malloc and free.
MACOS_MARKS = ("_Zn", "_Zd", "__dso_handle", "_mh_dylib_header")
pytestmark = [pytest.mark.build, pytest.mark.usefixtures("host")]


@pytest.mark.parametrize("name", TARGETS)
def test_the_library_of_each_platform(
    name: str, wheels: Mapping[str, Path], tmp_path: Path
) -> None:
    target = TARGETS[name]
    with zipfile.ZipFile(wheels[name]) as archive:
        path = Path(archive.extract(f"edge_rerank/_native/{target.library}", tmp_path))
    found = read(path)
    assert path.name == target.library
    assert found.format == FORMATS[target.system]
    assert found.machine == ("x86_64" if target.is_x86 else "aarch64")
    extra = found.exports - declared()
    if target.system == "macos":
        extra = frozenset(symbol for symbol in extra if not symbol.startswith(MACOS_MARKS))
    assert not extra
    assert not declared() - found.exports
    assert path.stat().st_size < 2_000_000
    if target.name.startswith("musllinux-"):
        assert not found.needs
    if target.name.startswith("linux-"):
        assert tuple(map(int, found.needs.split("."))) <= (2, 17)
    if target.system == "macos":
        assert found.needs == "11.0"


@pytest.mark.parametrize("name", ["linux-x86_64", "linux-aarch64"])
def test_kernels_share_nothing_that_a_linker_could_mix_up(name: str, tmp_path: Path) -> None:
    # An inline function compiled for AVX-512 must not stand in for the same one elsewhere.
    target = TARGETS[name]
    kernels = [unit for unit in units(target) if unit.source.stem in target.kernels]
    assert len(kernels) == len(target.kernels)
    for path in compile_units(zig(target, library_version()), kernels, tmp_path):
        assert weak_symbols(path) == frozenset()


def macros(target: Target, features: tuple[str, ...], tmp_path: Path) -> set[str]:
    empty = tmp_path / "empty.cpp"
    empty.write_text("")
    command = zig(target, "0").compile(empty, tmp_path / "macros.txt", features)
    command[command.index("-c")] = "-E"
    subprocess.run([*command, "-dM"], check=True)
    lines = (tmp_path / "macros.txt").read_text().splitlines()
    return {line.split()[1] for line in lines}


def test_nothing_is_compiled_for_the_machine_that_builds(tmp_path: Path) -> None:
    x86, arm = TARGETS["linux-x86_64"], TARGETS["linux-aarch64"]
    assert not {"__AVX__", "__SSE4_1__", "__FMA__"} & macros(x86, (), tmp_path)
    sse41 = macros(x86, x86.kernels["sse41"], tmp_path)
    assert "__SSE4_1__" in sse41
    assert not {"__SSE4_2__", "__POPCNT__", "__AVX__"} & sse41
    avx2 = macros(x86, x86.kernels["avx2"], tmp_path)
    assert {"__AVX2__", "__FMA__"} <= avx2
    assert not {"__AVX512F__", "__AVXVNNI__"} & avx2
    assert "__ARM_FEATURE_DOTPROD" not in macros(arm, (), tmp_path)
    assert "__ARM_FEATURE_MATMUL_INT8" in macros(arm, arm.kernels["neon_i8mm"], tmp_path)
    assert "__ARM_FEATURE_DOTPROD" not in macros(TARGETS["macos-arm64"], (), tmp_path)


def test_what_the_compiler_says_is_in_the_error(host: Target, tmp_path: Path) -> None:
    source = tmp_path / "bad.cpp"
    source.write_text("int f() { return undeclared; }\n")
    with pytest.raises(BuildError, match="undeclared"):
        compile_units(zig(host, "0"), [type(units(host)[0])(source, ())], tmp_path)


def test_a_missing_kernel_is_named(host: Target, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"scalar\.cpp: the source of a kernel is missing"):
        units(host, tmp_path)


def test_platforms_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def target_of(
        system: str, machine: str, glibc: str | None = "glibc 2.36", files: Sequence[str] = ()
    ) -> str | None:
        monkeypatch.setattr("os.path.exists", lambda path: path in files)
        monkeypatch.setattr("sys.platform", system)
        monkeypatch.setattr("platform.machine", lambda: machine)
        monkeypatch.setattr("os.confstr", lambda name: glibc)
        found = host_target()
        return None if found is None else found.name

    assert target_of("linux", "x86_64") == "linux-x86_64"
    assert target_of("linux", "aarch64") == "linux-aarch64"
    assert target_of("darwin", "arm64") == "macos-arm64"
    assert target_of("win32", "AMD64") == "windows-x86_64"
    assert target_of("darwin", "x86_64") == "macos-x86_64"
    assert target_of("win32", "ARM64") == "windows-arm64"
    musl = ["/lib/ld-musl-x86_64.so.1"]
    assert target_of("linux", "x86_64", None, musl) == "musllinux-x86_64"
    assert target_of("linux", "aarch64", None, ["/lib/ld-musl-aarch64.so.1"]) == "musllinux-aarch64"
    assert target_of("linux", "x86_64", "glibc 2.36", musl) == "linux-x86_64"
    assert target_of("linux", "x86_64", None) is None  # neither C library
    for unknown in (("linux", "riscv64"), ("freebsd14", "amd64")):
        assert target_of(*unknown) is None
