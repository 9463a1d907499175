"""What the distributions hold: every module and every data file of the tree."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import Install
from tests.support.environments import fresh_environment
from tests.support.tree import copy_tree, installed_names, modules, tree_files

pytestmark = pytest.mark.build
KINDS = ("wheel", "sdist", "editable")
_IMPORT = """
import importlib, json, sys
found = {}
for name in json.load(sys.stdin):
    found[name] = importlib.import_module(name).__file__
print(json.dumps(found))
"""
_FILES = """
import json, sys
from importlib import resources
missing = []
for name in json.load(sys.stdin):
    package, *rest = name
    if not resources.files(package).joinpath(*rest).is_file():
        missing.append(name)
print(json.dumps(missing))
"""


def test_the_wheel_holds_the_tree(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set(installed_names())
    assert "edge_rerank_export/graph/__init__.py" in expected
    assert "edge_rerank/models/mini/model.safetensors" in expected
    assert not expected - held
    assert all(name.startswith("edge_rerank/_native/") for name in held - expected)


def test_the_source_distribution_holds_the_tree(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert not set(tree_files()) - held


@pytest.mark.parametrize("kind", KINDS)
def test_every_module_is_imported_from_where_it_is_installed(
    install: Install, kind: str, tmp_path: Path
) -> None:
    environment = install(kind)
    names = modules()
    assert {"edge_rerank.cli", "edge_rerank_export.graph", "edge_rerank_bench.run"} <= set(names)
    found = environment.run("python", "-I", "-c", _IMPORT, folder=tmp_path, given=json.dumps(names))
    assert found.returncode == 0, found.stderr
    files = json.loads(found.stdout)
    assert list(files) == names
    place = environment.folder.parent if kind == "editable" else environment.folder
    assert not [name for name, file in files.items() if not Path(file).is_relative_to(place)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_data_file_is_found(install: Install, kind: str, tmp_path: Path) -> None:
    packages = set(modules())
    data = []
    for name in installed_names():
        path = Path(name)
        if path.suffix != ".py":
            inside = next(up for up in path.parents if ".".join(up.parts) in packages)
            data.append([".".join(inside.parts), *path.relative_to(inside).parts])
    assert ["edge_rerank", "py.typed"] in data
    assert ["edge_rerank_export", "calibration.jsonl"] in data
    found = install(kind).run("python", "-I", "-c", _FILES, folder=tmp_path, given=json.dumps(data))
    assert found.stdout.strip() == "[]", found.stderr


def test_what_an_earlier_build_left_is_not_installed(tmp_path: Path) -> None:
    clone = copy_tree(tmp_path / "clone")
    left = clone / "build" / "lib" / "edge_rerank" / "gone.py"
    left.parent.mkdir(parents=True)
    left.write_text("", "utf-8")
    environment = fresh_environment(tmp_path / "venv")
    done = environment.install(str(clone), EDGE_RERANK_BUILD_NATIVE="0")
    assert done.returncode == 0, done.stderr
    found = environment.run("python", "-I", "-c", "import edge_rerank.gone", folder=tmp_path)
    assert "No module named 'edge_rerank.gone'" in found.stderr
