"""Adds the native engine's library to what setuptools builds; pyproject.toml holds all else.

EDGE_RERANK_BUILD_NATIVE=0 leaves the library out and 1 makes it a must; otherwise a library that
cannot be built is left out with a warning, and the package runs on ONNX Runtime.
EDGE_RERANK_TARGET names another platform to build for, one of native/targets.py.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))  # a build backend runs this file without it

from native.build import build_library  # noqa: E402
from native.targets import TARGETS, Target, host_target  # noqa: E402
from native.toolchain import BuildError  # noqa: E402

FOLDER = Path("edge_rerank", "_native")
NOT_BUILT = "not-built.txt"  # read by edge_rerank/native_library.py


class NativeDistribution(Distribution):
    """A distribution with a library in it, which makes its wheels fit one platform alone."""

    def has_ext_modules(self) -> bool:
        """True where there is a library to build, though it is no extension module."""
        return wanted() != "0" and target() is not None


class BuildWithLibrary(build_py):
    """Copies the package, and then builds the library into the copy."""

    def run(self) -> None:
        """Build into the copy or, for an editable installation, into the source tree."""
        super().run()
        folder = ROOT / FOLDER if self.editable_mode else Path(self.build_lib) / FOLDER
        shutil.rmtree(folder, ignore_errors=True)  # may be another platform's
        folder.mkdir(parents=True)
        try:
            build(folder)
        except BuildError as error:
            if wanted() == "1":
                # For an editable installation, setuptools turns an Exception into a warning.
                raise SystemExit(str(error)) from error
            (folder / NOT_BUILT).write_text(f"{error}\n", "utf-8")
            warnings.warn(f"edge-rerank runs on ONNX Runtime, slower: {error}", stacklevel=1)


class PlatformWheel(bdist_wheel):
    """A wheel for every Python of one platform: the library is no extension of CPython's."""

    def get_tag(self) -> tuple[str, str, str]:
        """Give Python, ABI and platform as the wheel's name has them."""
        chosen = target()
        built = chosen is not None and (Path(self.bdist_dir) / FOLDER / chosen.library).is_file()
        return "py3", "none", chosen.platform_tag if chosen is not None and built else "any"


def build(folder: Path) -> None:
    """Build the library into ``folder``; raises BuildError with the reason when it is not."""
    chosen = target()
    if wanted() == "0":
        raise BuildError("EDGE_RERANK_BUILD_NATIVE=0 was set")
    if chosen is None:
        raise BuildError(f"there is no native engine for this platform; only {', '.join(TARGETS)}")
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as scratch:
        # Alone: for Windows, an import library for C programs is built beside it.
        shutil.copy(build_library(chosen, Path(scratch)), folder)


def wanted() -> str:
    """Give what EDGE_RERANK_BUILD_NATIVE says: ``0``, ``1`` or nothing."""
    value = os.environ.get("EDGE_RERANK_BUILD_NATIVE", "").strip()
    if value not in ("", "0", "1"):
        raise SystemExit(f"EDGE_RERANK_BUILD_NATIVE is {value!r}; expected 0, 1 or nothing")
    return value


def target() -> Target | None:
    """Give the platform to build for: EDGE_RERANK_TARGET's, or else this one, if it is known."""
    name = os.environ.get("EDGE_RERANK_TARGET", "").strip()
    if not name:
        return host_target()
    if name not in TARGETS:
        raise SystemExit(f"EDGE_RERANK_TARGET is {name!r}; expected one of {', '.join(TARGETS)}")
    return TARGETS[name]


setup(
    distclass=NativeDistribution,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel},
)
