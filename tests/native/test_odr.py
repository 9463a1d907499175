"""Nothing is defined twice in different ways: two classes of one name would share destructors."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from native.build import Unit, compile_units, run, units
from native.targets import Target
from native.toolchain import ROOT, BuildError, Toolchain
from tests.native.conftest import missing

# -O0 would leave out what is inline, and with it what two files disagree about.
_FLAGS = (
    "-std=c++17",
    "-O1",
    "-fPIC",
    "-flto",
    "-Wodr",
    "-Werror=odr",
    "-Werror=lto-type-mismatch",
)


pytestmark = pytest.mark.build


@pytest.fixture
def gcc(host: Target) -> Toolchain:
    """Return g++, which compares definitions when it links."""
    compiler = shutil.which("g++")
    if compiler is None or "Free Software Foundation" not in _version(compiler):
        missing("only g++ compares the definitions of all files, and it is not on the PATH")
    includes = (f"-I{ROOT / 'include'}", f"-I{ROOT / 'src'}")
    defines = ("-DEDGE_RERANK_BUILD", '-DEDGE_RERANK_VERSION="0"')
    return Toolchain(
        target=host,
        command=(compiler,),
        flags=(*_FLAGS, *includes, *defines),
        link_flags=_FLAGS,
        library_flags=("-shared",),
        zig=False,
    )


def _version(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout


def _link(toolchain: Toolchain, sources: Path, tmp_path: Path) -> None:
    objects = compile_units(toolchain, units(toolchain.target, sources), tmp_path)
    run(toolchain.link_library(objects, tmp_path / "all.so"))


def test_all_sources_agree_on_what_they_define(gcc: Toolchain, tmp_path: Path) -> None:
    _link(gcc, ROOT / "src", tmp_path)


def test_it_would_be_seen_if_they_did_not(gcc: Toolchain, tmp_path: Path) -> None:
    for name, member in (("one", "int"), ("two", "double")):
        code = (
            f"struct Model {{ virtual ~Model(); {member} size; }};\n"
            f"inline Model::~Model() {{ size = 0; }}\nModel {name};\n"
        )
        (tmp_path / f"{name}.cpp").write_text(code, "utf-8")
    sources = [Unit(tmp_path / f"{name}.cpp", ()) for name in ("one", "two")]
    objects = compile_units(gcc, sources, tmp_path)
    with pytest.raises(BuildError, match="Werror=odr"):
        run(gcc.link_library(objects, tmp_path / "two.so"))
