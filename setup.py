"""Finds the packages and adds the native engine's library; pyproject.toml holds all else.

EDGE_RERANK_BUILD_NATIVE=0 leaves the library out, ``auto`` leaves it out where it cannot be built,
and 1 makes it a must; otherwise it is a must on the platforms of native/targets.py, and elsewhere
the package runs on ONNX Runtime. pip hides what a build says unless the build fails.
EDGE_RERANK_TARGET names another platform to build for, one of native/targets.py.
"""

from __future__ import annotations

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
from native.packages import FOLDERS, find_data, find_packages  # noqa: E402
from native.sbom import NAME as SBOM  # noqa: E402
from native.sbom import document  # noqa: E402
from native.settings import BUILD, needs_compiler, target, wanted  # noqa: E402
from native.targets import TARGETS, Target  # noqa: E402
from native.toolchain import BuildError  # noqa: E402

FOLDER = Path("edge_rerank", "_native")
NOT_BUILT = "not-built.txt"  # read by edge_rerank/native_library.py
_REMEDY = (
    "edge-rerank's native engine could not be built, for the reason above; with "
    f"{BUILD}=auto set, it is installed all the same, and runs two to three times slower, on "
    "ONNX Runtime"
)


class NativeDistribution(Distribution):
    """A distribution with a library in it, which makes its wheels fit one platform alone."""

    def has_ext_modules(self) -> bool:
        """True where there is a library to build, though it is no extension module."""
        return needs_compiler()


class BuildWithLibrary(build_py):
    """Copies the package, and then builds the library into the copy."""

    def run(self) -> None:
        """Build into the copy or, for an editable installation, into the source tree."""
        if not self.editable_mode:
            self._remove_earlier_copy()
        super().run()
        folder = ROOT / FOLDER if self.editable_mode else Path(self.build_lib) / FOLDER
        shutil.rmtree(folder, ignore_errors=True)  # may be another platform's
        folder.mkdir(parents=True)
        try:
            build(folder)
        except BuildError as error:
            if wanted() == "1" or (wanted() == "" and target() is not None):
                # For an editable installation, setuptools turns an Exception into a warning.
                raise SystemExit(f"{error}\n{_REMEDY}") from error
            (folder / NOT_BUILT).write_text(f"{error}\n", "utf-8")
            warnings.warn(f"edge-rerank runs on ONNX Runtime, slower: {error}", stacklevel=1)

    def _remove_earlier_copy(self) -> None:
        """Remove what an earlier build left: modules that have gone would be installed again."""
        for name in {package.split(".")[0] for package in FOLDERS}:
            shutil.rmtree(Path(self.build_lib) / name, ignore_errors=True)


class PlatformWheel(bdist_wheel):
    """A wheel for every Python of one platform: the library is no extension of CPython's."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return Python, ABI and platform as the wheel's name has them."""
        built = self._built_for()
        return "py3", "none", "any" if built is None else built.platform_tag

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        """Write the wheel's metadata, the bill of materials among them."""
        super().egg2dist(egginfo_path, distinfo_path)
        meta = self.distribution.metadata
        folder = Path(self.bdist_dir)
        if not (folder / "edge_rerank").is_dir():  # asked for the metadata alone
            return
        path = Path(distinfo_path, SBOM)
        path.parent.mkdir()
        path.write_bytes(
            document(meta.version, self.distribution.install_requires, self._built_for(), folder)
        )

    def _built_for(self) -> Target | None:
        """Return the platform of the library that is to be packed; None where there is none."""
        chosen = target()
        built = chosen is not None and (Path(self.bdist_dir) / FOLDER / chosen.library).is_file()
        return chosen if built else None


def build(folder: Path) -> None:
    """Build the library into ``folder``; raises BuildError with the reason when it is not."""
    chosen = target()
    if wanted() == "0":
        raise BuildError(f"{BUILD}=0 was set")
    if chosen is None:
        raise BuildError(f"there is no native engine for this platform; only {', '.join(TARGETS)}")
    with tempfile.TemporaryDirectory(prefix="edge-rerank-") as scratch:
        # Alone: for Windows, an import library for C programs is built beside it.
        shutil.copy(build_library(chosen, Path(scratch)), folder)


setup(
    packages=find_packages(ROOT),
    package_dir=dict(FOLDERS),
    package_data=find_data(ROOT),
    distclass=NativeDistribution,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel},
)
