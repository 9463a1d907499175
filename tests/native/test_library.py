"""Finding the library, and its C interface as declared for ctypes."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_rerank import ArtifactError, EngineError, InputError, native_library
from edge_rerank.native_library import (
    CallOptions,
    Info,
    Library,
    Options,
    Text,
    Times,
    TokenizerInfo,
    UnavailableError,
    error_of,
)
from native.targets import Target
from tests.native.conftest import HEADER, declared

STRUCTS: dict[str, type[ctypes.Structure]] = {
    "options": Options,
    "call_options": CallOptions,
    "times": Times,
    "info": Info,
    "text": Text,
    "tokenizer_info": TokenizerInfo,
}


def test_every_function_is_declared() -> None:
    assert {f"edge_rerank_{name}" for name in native_library._FUNCTIONS} == declared()
    version = re.search(r"#define EDGE_RERANK_API_VERSION (\d+)", HEADER.read_text("utf-8"))
    assert version is not None
    assert int(version[1]) == native_library.API_VERSION


def test_every_member_of_every_struct_is_declared_in_order() -> None:
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text("utf-8"), flags=re.DOTALL)
    found = dict(re.findall(r"typedef struct edge_rerank_(\w+) \{(.*?)\}", text, re.DOTALL))
    assert set(found) == set(STRUCTS)
    for name, struct in STRUCTS.items():
        members = re.findall(r"(\w+);", found[name])
        assert members == [field for field, *_ in struct._fields_], name


def test_structs_lie_as_the_compiler_lays_them_out(host: Target, tmp_path: Path) -> None:
    lines, ours = [], {}
    for name, struct in STRUCTS.items():
        lines.append(f'printf("{name} %zu 0\\n", sizeof(edge_rerank_{name}));')
        ours[name] = (ctypes.sizeof(struct), 0)
        for field, *_ in struct._fields_:
            size = f"sizeof(((edge_rerank_{name} *)0)->{field})"
            offset = f"offsetof(edge_rerank_{name}, {field})"
            lines.append(f'printf("{name}.{field} %zu %zu\\n", {size}, {offset});')
            described = getattr(struct, field)
            ours[f"{name}.{field}"] = (described.size, described.offset)
    source, program = tmp_path / "layout.c", tmp_path / "layout"
    body = "\n".join(lines)
    source.write_text(
        f'#include <stdio.h>\n#include "{HEADER}"\nint main(void) {{\n{body}\nreturn 0;\n}}\n'
    )
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", host.triple]
    subprocess.run([*compiler, str(source), "-o", str(program)], check=True)
    told = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout
    theirs = {}
    for line in told.splitlines():
        name, size, at = line.split()
        theirs[name] = (int(size), int(at))
    assert theirs == ours


def test_a_missing_library_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_library, "FOLDER", tmp_path)
    load = native_library.load_library.__wrapped__
    with pytest.raises(UnavailableError, match="the file is missing; to build it, reinstall"):
        load()
    (tmp_path / "not-built.txt").write_text("no compiler\nand much more\n", "utf-8")
    with pytest.raises(UnavailableError, match="is not there: no compiler; to build it"):
        load()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("where", ["beside the link", "where the link leads"])
def test_of_an_installation_of_links(library: Library, tmp_path: Path, where: str) -> None:
    package = Path(native_library.__file__).resolve().parent
    linked = tmp_path / "edge_rerank"
    for path in [*package.rglob("*.py"), *native_library.FOLDER.glob("*edge_rerank.*")]:
        link = linked / path.relative_to(package)
        if path.suffix == ".py" or where == "beside the link":
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    script = "from edge_rerank.native_library import load_library; print(load_library().version)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == (library.version, "")


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(b"\x7fELF nothing more")
    with pytest.raises(UnavailableError, match=r"x\.so: cannot be loaded"):
        Library(tmp_path / "x.so")


@pytest.mark.parametrize(("name", "value"), [("API_VERSION", 99), ("__version__", "9.9.9")])
def test_another_version_is_refused(
    library: Library, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(native_library, name, value)
    with pytest.raises(UnavailableError, match=rf"{value}.*; reinstall edge-rerank"):
        native_library.load_library.__wrapped__()


def test_another_library_lacks_our_functions(tmp_path: Path) -> None:
    import _ctypes

    if not _ctypes.__file__:
        pytest.skip("_ctypes is built in")
    copy = shutil.copy(_ctypes.__file__, tmp_path / "other.so")
    with pytest.raises(UnavailableError, match=r"cannot be loaded: .*edge_rerank_"):
        Library(Path(copy))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (1, InputError),
        (2, ArtifactError),
        (3, UnavailableError),
        (4, EngineError),
        (5, EngineError),
        (6, EngineError),
        (7, EngineError),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[Exception]) -> None:
    error = error_of(status, "what was wrong")
    assert type(error) is kind
    assert "what was wrong" in str(error)


def test_peak(library: Library) -> None:
    assert all(figure > 1e6 for figure in library.peak("scalar"))
    with pytest.raises(UnavailableError, match="abacus"):
        library.peak("abacus")
