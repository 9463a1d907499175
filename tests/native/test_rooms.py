"""The rooms of native/src: a room includes from those below it, and from no other."""

from __future__ import annotations

import re

from native.targets import TARGETS
from native.toolchain import ROOT

BELOW = {
    "base": set[str](),
    "kernels": {"base"},
    "tokenizer": {"base"},
    "engine": {"kernels", "base"},
    "api": {"engine", "tokenizer", "kernels", "base"},
}
SOURCES = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".cpp", ".h")]


def test_every_source_is_in_a_room() -> None:
    assert {path.relative_to(ROOT / "src").parts[0] for path in SOURCES} == set(BELOW)


def test_doors_open_one_way() -> None:
    for path in SOURCES:
        room = path.relative_to(ROOT / "src").parts[0]
        for name in re.findall(r'#include "([^"]+)"', path.read_text("utf-8")):
            if name != "edge_rerank.h":
                assert name.split("/")[0] in {room, *BELOW[room]}, f"{path} includes {name}"


def test_namespaces_are_named_after_rooms() -> None:
    for path in SOURCES:
        room = path.relative_to(ROOT / "src").parts[0]
        named = re.findall(r"^namespace (edge_rerank[\w:]*)", path.read_text("utf-8"), re.MULTILINE)
        expected = "edge_rerank" if room == "base" else f"edge_rerank::{room}"
        assert set(named) <= {expected}, path


def test_what_is_included_inside_a_namespace_says_so() -> None:
    for path in SOURCES:
        lines = path.read_text("utf-8").splitlines()
        inside = path.name.endswith("-inl.h")
        for line in lines:
            inside |= line.startswith("namespace ")
            if line.startswith('#include "'):
                assert line.endswith('-inl.h"') == inside, f"{path}: {line}"


def test_a_kernel_is_named_in_its_own_file_where_it_is_chosen_and_where_it_is_built() -> None:
    for stem in {stem for target in TARGETS.values() for stem in target.kernels}:
        users = {path.name for path in SOURCES if _names(stem, path.read_text("utf-8"))}
        assert users == {f"{stem}.cpp", "cpu.cpp"}, stem


def _names(stem: str, text: str) -> bool:
    constant = "k" + "".join(part.capitalize() for part in stem.split("_"))
    return re.search(rf"\b{constant}\b", text) is not None
