"""Wheels and source distribution: what they hold, for whom they are, and that they run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_rerank import __version__
from native.build import units
from native.targets import TARGETS, Target
from native.toolchain import ROOT
from native.wheels import build_source, build_wheels, sizes
from tests.native.binaries import read
from tests.native.conftest import EPOCH, missing
from tests.support.tree import tree_files

pytestmark = pytest.mark.build
QUERY = "list files sorted by size"
TEXTS = ["rm -r removes a directory and all that is in it.", "ls -S prints the largest first."]
_SCORE = """
import json, sys
import edge_rerank
from edge_rerank import Reranker
query, *texts = json.loads(sys.argv[1])
with Reranker.load() as reranker:
    engine = reranker.describe()
    logits = [hit.logit.hex() for hit in reranker.rank(query, texts)]
print(json.dumps([edge_rerank.__file__, engine.engine, engine.why, logits]))
"""


@pytest.mark.parametrize("name", TARGETS)
def test_a_wheel_fits_one_platform_and_every_python(wheels: Mapping[str, Path], name: str) -> None:
    tag = f"py3-none-{TARGETS[name].platform_tag}"
    assert wheels[name].name == f"edge_rerank-{__version__}-{tag}.whl"
    with zipfile.ZipFile(wheels[name]) as archive:
        text = archive.read(f"edge_rerank-{__version__}.dist-info/WHEEL").decode()
    assert "Root-Is-Purelib: false" in text
    platforms = TARGETS[name].platform_tag.split(".")
    assert [line for line in text.splitlines() if line.startswith("Tag: ")] == [
        f"Tag: py3-none-{platform}" for platform in platforms
    ]


@pytest.mark.parametrize("name", TARGETS)
def test_a_wheel_holds_its_library_and_the_model(
    wheels: Mapping[str, Path], name: str, tmp_path: Path
) -> None:
    target = TARGETS[name]
    with zipfile.ZipFile(wheels[name]) as archive:
        names = archive.namelist()
        own = [name for name in names if name.startswith("edge_rerank/_native/")]
        assert own == [f"edge_rerank/_native/{target.library}"]
        assert "edge_rerank/models/mini/model.safetensors" in names
        assert "edge_rerank/engines/native.py" in names
        assert not [name for name in names if name.startswith(("native/", "tests/", "tools/"))]
        found = read(Path(archive.extract(own[0], tmp_path)))
    assert found.machine == ("x86_64" if target.is_x86 else "aarch64")


def test_two_builds_give_the_same_bytes(
    wheels: Mapping[str, Path], host: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    monkeypatch.delenv("EDGE_RERANK_OBJECT_CACHE", raising=False)  # all is compiled anew
    (again,) = build_wheels([host], tmp_path)
    assert again.read_bytes() == wheels[host.name].read_bytes()


@pytest.mark.parametrize("name", TARGETS)
def test_a_wheel_says_what_others_made(wheels: Mapping[str, Path], name: str) -> None:
    info = f"edge_rerank-{__version__}.dist-info"
    with zipfile.ZipFile(wheels[name]) as archive:
        bill = json.loads(archive.read(f"{info}/sboms/edge-rerank.cdx.json"))
        notice = archive.read(f"{info}/licenses/THIRD-PARTY.md").decode()
        weights = archive.read("edge_rerank/models/mini/model.safetensors")
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {part["name"]: part for part in bill["components"]}
    assert {"numpy", "onnxruntime", "tokenizers", "libcxx"} <= set(parts)
    assert "pytest" not in parts  # an extra's
    assert ("mingw-w64" in parts) == (TARGETS[name].system == "windows")
    (model,) = (part for part in parts.values() if part["type"] == "machine-learning-model")
    assert model["hashes"][0]["content"] == hashlib.sha256(weights).hexdigest()
    assert all("licenses" in part or "purl" in part for part in parts.values())
    assert "LLVM-exception" in notice


def test_without_the_model_a_wheel_is_small(wheels: Mapping[str, Path]) -> None:
    for wheel in wheels.values():
        found = sizes(wheel)
        assert found.own < 3_000_000
        assert found.wheel - found.own > 15_000_000


@pytest.fixture(scope="module")
def installed(
    wheels: Mapping[str, Path], host: Target, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Install the wheel for this machine into an environment of its own; return its Python."""
    folder = tmp_path_factory.mktemp("installed")
    python = environment(folder / "venv")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
    offline = ["--no-index", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*install, *offline, str(wheels[host.name])], check=True)
    return python


def test_the_wheel_runs_in_a_fresh_environment(installed: Path, tmp_path: Path) -> None:
    found = scored([str(installed)], tmp_path, os.environ)
    assert found.file.startswith(str(installed.parents[1]))
    assert found.engine == "native"
    assert found.why == "the fastest engine, and it runs this model here"
    assert len(found.logits) == len(TEXTS)


def test_the_wheel_for_arm_runs_and_gives_the_same_bits(
    wheels: Mapping[str, Path], installed: Path, tmp_path: Path
) -> None:
    emulation = pytest.importorskip("tools.emulation.machine")
    from tools.emulation.cpus import find_cpus
    from tools.emulation.errors import EmulationError

    try:
        machine = emulation.emulated(find_cpus(["cortex-a76"])[0])
    except EmulationError as error:
        missing(f"nothing emulates ARM here: {error}")
    with zipfile.ZipFile(wheels["linux-aarch64"]) as archive:
        archive.extractall(tmp_path / "arm")
    variables = machine.environment(tmp_path / "arm", os.environ)
    found = scored(list(machine.command), tmp_path / "arm", variables)
    here = scored([str(installed)], tmp_path, os.environ)
    assert (found.engine, here.engine) == ("native", "native"), found.why
    assert found.logits == here.logits


def environment(folder: Path) -> Path:
    """Make a virtual environment that has this one's packages, but not our own; give its Python."""
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = sysconfig.get_path("purelib", vars={"base": str(folder)})
    (Path(packages) / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


class Scored(NamedTuple):
    """What ranking with an installed package gave, and where that package lies."""

    file: str
    engine: str
    why: str
    logits: list[str]


def scored(command: list[str], folder: Path, variables: Mapping[str, str]) -> Scored:
    """Rank in ``folder`` with an interpreter."""
    arguments = [*command, "-c", _SCORE, json.dumps([QUERY, *TEXTS])]
    done = subprocess.run(
        arguments, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Scored(*json.loads(done.stdout))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution and unpack it; return its folder."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(build_source(folder)) as tar:
        tar.extractall(folder, filter="data")
    return folder / f"edge_rerank-{__version__}"


def test_the_source_distribution_has_what_the_build_needs(source: Path) -> None:
    for target in TARGETS.values():
        for unit in units(target):
            assert (source / "native" / unit.source.relative_to(ROOT)).is_file()
    for name in ("include/edge_rerank.h", "exports.map", "example/rank.c", "README.md"):
        assert (source / "native" / name).is_file()
    assert not (source / "edge_rerank" / "_native").exists()


def test_two_builds_of_the_source_at_once_leave_the_checkout_alone(tmp_path: Path) -> None:
    def build(name: str) -> list[str]:
        folder = tmp_path / name
        folder.mkdir()
        with tarfile.open(build_source(folder)) as tar:
            return sorted(tar.getnames())

    before = written(ROOT.parent)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(build, ("one", "other"))
    assert written(ROOT.parent) == before
    assert one == other
    names = {name.partition("/")[2] for name in one}
    assert {".ci/run", ".clang-format", ".gitignore"} <= names
    assert not set(tree_files()) - names


def written(folder: Path) -> dict[str, int]:
    """Return what a build would write into a checkout, and when it was written."""
    made = folder.glob("edge_rerank[-.]*")
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in made}


def wheel_of(source: Path, output: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    call = "import sys; from native import backend; backend.build_wheel(sys.argv[1])"
    return subprocess.run(
        [sys.executable, "-c", call, str(output)],
        cwd=source, env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def broken(source: Path, tmp_path: Path) -> Path:
    """Return a copy of the source that the compiler rejects, without the model."""
    folder = shutil.copytree(source, tmp_path / "broken", ignore=shutil.ignore_patterns("mini*"))
    (folder / "native/src/api/engine_api.cpp").write_text("#error not today\n")
    return Path(folder)


@pytest.mark.parametrize(
    ("wanted", "reason"), [("auto", "ended with code"), ("0", "EDGE_RERANK_BUILD_NATIVE=0 was set")]
)
def test_without_a_library_the_package_installs_all_the_same(
    host: Target, broken: Path, tmp_path: Path, wanted: str, reason: str
) -> None:
    done = wheel_of(broken, tmp_path, EDGE_RERANK_BUILD_NATIVE=wanted, EDGE_RERANK_TARGET="")
    assert done.returncode == 0, done.stderr
    assert "edge-rerank runs on ONNX Runtime, slower" in done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert reason in archive.read("edge_rerank/_native/not-built.txt").decode()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"EDGE_RERANK_BUILD_NATIVE": ""}, "not today"),
        ({"EDGE_RERANK_BUILD_NATIVE": ""}, "with EDGE_RERANK_BUILD_NATIVE=auto set, it is"),
        ({"EDGE_RERANK_BUILD_NATIVE": "1"}, "not today"),
        ({"EDGE_RERANK_BUILD_NATIVE": "yes"}, "EDGE_RERANK_BUILD_NATIVE is 'yes'; expected 0, 1"),
        ({"EDGE_RERANK_TARGET": "amiga"}, "EDGE_RERANK_TARGET is 'amiga'; expected one of linux-"),
    ],
)
def test_what_ends_a_build(
    host: Target, broken: Path, tmp_path: Path, variables: dict[str, str], message: str
) -> None:
    done = wheel_of(broken, tmp_path, **variables)
    assert done.returncode != 0
    assert message in done.stderr
    assert not list(tmp_path.glob("*.whl"))
