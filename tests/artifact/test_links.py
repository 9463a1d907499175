"""Files that are links: a cache of the hub, an installation of links, and links gone wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import edge_rerank
from edge_rerank import (
    ArtifactError,
    ArtifactNotFoundError,
    ChecksumError,
    Reranker,
    UnsafePathError,
    verify,
)
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact, write_manifest
from tests.conftest import tiny_graph, tiny_manifest

Make = Callable[..., Path]
ENGINES = ("native", "onnxruntime")
TEXTS = ["plants eat light", "a bridge of steel"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


def hub_cache(folder: Path, root: Path) -> Path:
    """Store a folder as huggingface_hub does: blobs named after their content, and links."""
    blobs, snapshot = root / "blobs", root / "snapshots" / "d1ba0a4"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        shutil.copy(path, blobs / f"{number:064x}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number:064x}")
    return snapshot


def scattered(folder: Path, root: Path) -> Path:
    """Store each file of a folder in a folder of its own, as Bazel and Nix may."""
    (root / "tree").mkdir(parents=True)
    for path in folder.iterdir():
        place = root / "store" / path.name / "content"
        place.parent.mkdir(parents=True)
        shutil.copy(path, place)
        (root / "tree" / path.name).symlink_to(place)
    return root / "tree"


def weights_alone(folder: Path, root: Path) -> Path:
    """Only the large file is a link."""
    shutil.copytree(folder, root / "tree")
    shutil.move(root / "tree" / "model.safetensors", root / "shared.safetensors")
    (root / "tree" / "model.safetensors").symlink_to("../shared.safetensors")
    return root / "tree"


@pytest.mark.parametrize("store", [hub_cache, scattered, weights_alone])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_folder_of_links_scores_as_the_files_do(
    tmp_path: Path, engine: Any, store: Callable[[Path, Path], Path]
) -> None:
    folder = store(builtin_model(), tmp_path / "cache")
    with Reranker.load(engine=engine) as plain, Reranker.load(folder, engine=engine) as linked:
        plain_results = plain.rank("how do plants eat", TEXTS)
        assert linked.rank("how do plants eat", TEXTS) == plain_results
        assert linked.describe().engine == engine
    with Reranker.load(folder, engine=engine, map_weights=True) as mapped:
        assert mapped.rank("how do plants eat", TEXTS) == plain_results
    report = verify(folder, engine=engine)
    assert report.holds, report.failures


def test_every_command_takes_a_hub_cache(tmp_path: Path) -> None:
    folder = str(hub_cache(builtin_model(), tmp_path / "cache"))
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"query": "a", "document": "b"}\n', "utf-8")
    for arguments in (
        ["rank", "--model", folder, "how do plants eat", *TEXTS],
        ["score", "--model", folder, "--input", str(pairs)],
        ["info", folder],
        ["verify", folder],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "edge_rerank", *arguments], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_an_installation_of_links_finds_its_model_and_library(tmp_path: Path) -> None:
    """As uv installs with --link-mode symlink, and Bazel and Nix may: each file lies elsewhere."""
    site, numbers = tmp_path / "site-packages", count()
    sources = {"edge_rerank": Path(edge_rerank.__file__).parent}
    sources["edge_rerank/models"] = builtin_model().parent
    for name, source in sources.items():
        for path in source.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                place = site / name / path.relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                alone = tmp_path / "store" / str(next(numbers)) / path.name
                alone.parent.mkdir(parents=True)
                shutil.copy(path, alone)
                place.symlink_to(alone)
    code = (
        "import edge_rerank, json; m = edge_rerank.Reranker.load();"
        "print(json.dumps([edge_rerank.__file__, str(m.artifact.path),"
        " m.describe().engine, m.rank('how do plants eat', ['plants eat light'])[0].logit]))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path[:0] = {[str(site), *sys.path]}; {code}",
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    package, folder, engine, logit = json.loads(done.stdout)
    assert Path(package).is_relative_to(site)
    assert Path(folder).is_relative_to(site)
    with Reranker.load() as reranker:
        assert reranker.describe().engine == engine
        assert reranker.rank("how do plants eat", ["plants eat light"])[0].logit == logit


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json", "probes.json"])
def test_what_a_link_leads_to_is_checked_by_content(make_artifact: Make, name: str) -> None:
    folder = make_artifact()
    outside = folder.parent / "outside"
    shutil.move(folder / name, outside)
    (folder / name).symlink_to(outside)
    assert load_artifact(folder).file(name) == folder / name
    whole = outside.read_bytes()
    outside.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ChecksumError, match=f"{name}: SHA-256 is"):
        load_artifact(folder)
    if name != "config.json":  # which is read all the same
        assert load_artifact(folder, verify=False)  # sizes alone, as of any other file
    outside.write_bytes(whole[:-1])
    with pytest.raises(ChecksumError, match="bytes, the manifest says"):
        load_artifact(folder, verify=False)


def test_links_inside_and_to_the_folder(make_artifact: Make) -> None:
    folder = make_artifact()
    shutil.move(folder / "model.onnx", folder / "graph.bin")
    (folder / "model.onnx").symlink_to("graph.bin")
    alias = folder.parent / "alias"
    alias.symlink_to(folder)
    assert load_artifact(alias).path == folder.resolve()


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_links_that_lead_nowhere(make_artifact: Make, name: str) -> None:
    folder = make_artifact()
    path = folder / name
    path.unlink()
    path.symlink_to(name)
    with pytest.raises(ArtifactNotFoundError, match=f"{name}: a loop of links"):
        load_artifact(folder)
    path.unlink()
    path.symlink_to("../blobs/gone")
    with pytest.raises(ArtifactNotFoundError, match=f"{name}: a link to ../blobs/gone, where"):
        load_artifact(folder)
    path.unlink()
    path.symlink_to("config.json/x")
    with pytest.raises(ArtifactNotFoundError, match=f"{name}: missing"):
        load_artifact(folder)
    loop = folder.parent / "loop"
    loop.symlink_to("loop")
    with pytest.raises(ArtifactNotFoundError, match="loop: cannot be read: Too many levels"):
        load_artifact(loop)


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("name", ["config.json", "manifest.json"])
def test_pipes_and_devices_are_not_waited_for(make_artifact: Make, name: str, linked: bool) -> None:
    folder = make_artifact()
    path = folder / name
    path.unlink()
    os.mkfifo(folder.parent / "pipe" if linked else path)
    if linked:
        path.symlink_to("../pipe")
    with pytest.raises(ArtifactError, match=f"{name}: a named pipe, not a regular file"):
        load_artifact(folder)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(ArtifactError, match=f"{name}: a device, not a regular file"):
        load_artifact(folder)
    path.unlink()
    path.mkdir()
    with pytest.raises(ArtifactError, match=f"{name}: a folder, not a regular file"):
        load_artifact(folder)


def test_the_graph_still_names_only_what_the_manifest_lists(make_artifact: Make) -> None:
    onnx = pytest.importorskip("onnx")
    folder, model = make_artifact(), tiny_graph()
    weights = next(item for item in model.graph.initializer if item.name == "weights")
    (folder.parent / "secret.bin").write_bytes(weights.raw_data)
    (folder / ".secret").symlink_to("../secret.bin")
    onnx.external_data_helper.set_external_data(weights, ".secret", 0, 160 * 4)
    weights.ClearField("raw_data")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UnsafePathError, match=r"'\.secret' is not a plain file name"):
        write_manifest(folder, tiny_manifest())
    shutil.move(folder / ".secret", folder.parent / "aside")
    write_manifest(folder, tiny_manifest())
    shutil.move(folder.parent / "aside", folder / ".secret")
    with pytest.raises(UnsafePathError, match="which the manifest does not list"):
        Reranker.load(folder, engine="onnxruntime")
