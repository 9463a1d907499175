"""Command lines of the two compilers: zig's, which makes releases, and the system's."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from native.targets import Target

ROOT = Path(__file__).resolve().parent
_INCLUDES = (f"-I{ROOT / 'include'}", f"-I{ROOT / 'src'}")

# No -ffast-math, and no contraction of a * b + c behind our back: where a fused multiply-add is
# meant, the source says so. The scores are the same bits on every platform because of it.
_LANGUAGE = ("-std=c++17", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wextra")
_RELEASE = ("-O3", "-DNDEBUG", "-fvisibility=hidden", "-fvisibility-inlines-hidden")
_DEBUG = ("-O1", "-g", "-fno-omit-frame-pointer", "-fvisibility=hidden")


class BuildError(Exception):
    """The library cannot be built; the message says what is missing or what the compiler said."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A compiler set up for one target: give its methods file names, run what comes back."""

    target: Target
    command: tuple[str, ...]
    flags: tuple[str, ...]
    """Flags of every compilation."""
    link_flags: tuple[str, ...]
    """Flags of every link, of libraries and of programs."""
    library_flags: tuple[str, ...]
    """Further flags of the library's link."""
    zig: bool

    def compile(self, source: Path, output: Path, features: Sequence[str] = ()) -> list[str]:
        """Return the command that compiles one source file, for these CPU features alone."""
        cpu = self._cpu(features)
        return [*self.command, *self.flags, *cpu, "-c", str(source), "-o", str(output)]

    def link_library(self, objects: Sequence[Path], output: Path) -> list[str]:
        """Return the command that joins objects into the shared library."""
        flags = [*self.link_flags, *self.library_flags]
        if self.target.system == "windows":  # what C programs link with
            flags.append(f"-Wl,--out-implib,{output.with_suffix('.lib')}")
        return [*self.command, *flags, *map(str, objects), "-o", str(output)]

    def link_program(self, objects: Sequence[Path], output: Path) -> list[str]:
        """Return the command that joins objects into a program."""
        return [*self.command, *self.link_flags, *map(str, objects), "-o", str(output)]

    def _cpu(self, features: Sequence[str]) -> list[str]:
        # Always said: left to itself, a compiler may take the machine that it runs on.
        if self.zig or not self.target.is_x86:
            return [f"-mcpu={'+'.join((self.target.cpu, *features))}"]
        return ["-march=x86-64", *map(_option, features)]


def zig(target: Target, version: str) -> Toolchain:
    """Set up the compiler of the ``ziglang`` package; raises BuildError when it is not there."""
    if importlib.util.find_spec("ziglang") is None:
        raise BuildError("there is no compiler: the package ziglang is not installed")
    return Toolchain(
        target=target,
        command=(sys.executable, "-m", "ziglang", "c++", "-target", target.triple),
        flags=(
            *(*_LANGUAGE, *_RELEASE, *_defines(version), *_INCLUDES),
            "-fno-sanitize=all",  # which zig turns on by itself
            *(() if target.system == "windows" else ("-fPIC",)),
        ),
        link_flags=(f"-mcpu={target.cpu}", "-s"),
        library_flags=_library_flags(target),
        zig=True,
    )


def system(target: Target, version: str, sanitizers: str) -> Toolchain:
    """Set up clang++ or g++ with sanitizers, as a comma-separated list, for tests on this machine.

    ``fuzzer`` may be among them: programs then get libFuzzer's ``main``, which needs clang.
    Raises BuildError when there is no such compiler.
    """
    names = sanitizers.split(",")
    compiler = shutil.which("clang++") or (None if "fuzzer" in names else shutil.which("g++"))
    if compiler is None:
        raise BuildError(f"sanitizers ({sanitizers}) need clang++ on the PATH; install clang")
    in_objects = ",".join("fuzzer-no-link" if name == "fuzzer" else name for name in names)
    recover = ("-fno-sanitize-recover=all",)
    # GCC 12 reports its own AVX-512 header.
    quiet = () if Path(compiler).name == "clang++" else ("-Wno-uninitialized",)
    return Toolchain(
        target=target,
        command=(compiler,),
        flags=(
            *(*_LANGUAGE, *_DEBUG, *_defines(version), *_INCLUDES),
            *("-fPIC", "-pthread", f"-fsanitize={in_objects}", *recover, *quiet),
        ),
        link_flags=("-pthread", "-g", f"-fsanitize={sanitizers}", *recover),
        library_flags=("-shared", f"-Wl,--version-script={ROOT / 'exports.map'}"),
        zig=False,
    )


def _option(feature: str) -> str:
    """Return clang's and g++'s option for a feature that has zig's name."""
    return f"-m{'sse4.1' if feature == 'sse4_1' else feature.replace('_', '-')}"


def _defines(version: str) -> tuple[str, ...]:
    return ("-DEDGE_RERANK_BUILD", f'-DEDGE_RERANK_VERSION="{version}"')


def _library_flags(target: Target) -> tuple[str, ...]:
    if target.system == "linux":
        # The C++ library inside exports operator new and delete, which another library of the
        # process would then call; the script keeps all but our own functions in.
        script = f"-Wl,--version-script={ROOT / 'exports.map'}"
        # Never unloaded: zig links nothing that would run our destructors then, and the process
        # would run into nothing at its end, where it runs them. Node unloads what it loaded.
        return ("-shared", f"-Wl,-soname,{target.library}", "-Wl,-z,defs,-z,nodelete", script)
    if target.system == "macos":
        return ("-shared", f"-Wl,-install_name,@rpath/{target.library}")
    return ("-shared",)
