"""Opening an artifact: what is right loads, and everything else is refused by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import (
    ArtifactError,
    ArtifactNotFoundError,
    ChecksumError,
    EngineError,
    FormatVersionError,
    ManifestError,
    Reranker,
    TokenizerError,
    UnsafePathError,
)
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import (
    Probe,
    load_artifact,
    load_probes,
    write_manifest,
    write_probes,
)
from edge_rerank.artifact.manifest import Manifest
from edge_rerank.artifact.seal import sealed
from tests.conftest import tiny_graph, tiny_manifest, tiny_probes
from tests.support.tree import ROOT

Make = Callable[..., Path]


def edit(folder: Path, change: Callable[[dict[str, Any]], None], *, sealing: bool = True) -> Path:
    """Change the manifest as JSON, and its checksum with it."""
    path = folder / "manifest.json"
    value = json.loads(path.read_text("utf-8"))
    change(value)
    if sealing:
        value = sealed(value)
    path.write_text(json.dumps(value), "utf-8")
    return folder


def test_a_manifest_survives_the_round_trip(artifact_path: Path) -> None:
    manifest = load_artifact(artifact_path).manifest
    assert replace(manifest, files={}) == tiny_manifest()
    assert Manifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest
    for name, record in manifest.files.items():
        data = (artifact_path / name).read_bytes()
        assert record.size == len(data)
        assert record.sha256 == hashlib.sha256(data).hexdigest()
    assert set(manifest.files) == {"config.json", "model.onnx", "probes.json", "tokenizer.json"}


def test_probes(artifact_path: Path) -> None:
    probes = load_probes(load_artifact(artifact_path))
    assert probes == tiny_probes()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('{"format_version": 2, "pairs": []}', FormatVersionError, "version is 2; .* reads 1"),
        ('{"format_version": 1}', ManifestError, "'pairs' is missing"),
        ('{"format_version": 1, "pairs": [1]}', ManifestError, "pair 0: expected an object"),
        (
            '{"format_version": 1, "pairs": [{"query": "", "document": "", "logit": "x"}]}',
            ManifestError,
            "pair 0: 'logit' is 'x'; expected a number from",
        ),
        ("[]", ManifestError, "expected an object"),
    ],
)
def test_bad_probes(make_artifact: Make, text: str, error: type[Exception], message: str) -> None:
    folder = make_artifact()
    (folder / "probes.json").write_text(text, "utf-8")
    write_manifest(folder, tiny_manifest())
    with pytest.raises(error, match=message):
        load_probes(load_artifact(folder))


def test_unknown_extra_members_are_tolerated(make_artifact: Make) -> None:
    def change(value: dict[str, Any]) -> None:
        value["later"] = {"x": [1]}
        value["architecture"]["later"] = True
        value["source"]["later"] = 1
        value["files"]["config.json"]["later"] = "y"

    assert load_artifact(edit(make_artifact(), change)).manifest.name == "tiny"


def test_unlisted_files_are_left_alone(make_artifact: Make) -> None:
    folder = make_artifact()
    (folder / ".DS_Store").write_bytes(b"x")
    assert load_artifact(folder)


def _steps(steps: object) -> dict[str, object]:
    return {"kind": "steps", "pooling": "first", "steps": steps}


def _set(*keys: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(value: dict[str, Any]) -> None:
        for key in keys[:-1]:
            value = value[key]
        value[keys[-1]] = to

    return change


def _drop(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(value: dict[str, Any]) -> None:
        for key in keys[:-1]:
            value = value[key]
        del value[keys[-1]]

    return change


POSITIONS = ("architecture", "positions")
_LOCAL = {"reach": 64, "layers": [1]}
RELATIVE = ("architecture", "positions", "relative")
RECORD = {"sha256": "0" * 64, "size": 1}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_set("format", to="gguf"), FormatVersionError, "'gguf'; this release reads 'edge-rer"),
        (_drop("format"), FormatVersionError, "format is None"),
        (_set("format_version", to=3), FormatVersionError, "is 3; this release reads versions 1 a"),
        (_set("format_version", to="1"), FormatVersionError, "is '1'"),
        (_set("format_version", to=True), FormatVersionError, "is True"),
        (_drop("name"), ManifestError, "'name' is missing; expected a string"),
        (_set("name", to=""), ManifestError, "'name' is ''"),
        (_drop("license"), ManifestError, "'license' is missing"),
        (_set("created", to="yesterday"), ManifestError, "'created' is 'yesterday'; expected a U"),
        (_set("precision", to="int4"), ManifestError, "'int4'; expected one of int8, fp32"),
        (_set("max_length", to=0), ManifestError, "'max_length' is 0; expected an integer fr"),
        (_set("max_length", to=512.0), ManifestError, "'max_length' is 512.0"),
        (_set("max_length", to=True), ManifestError, "'max_length' is True"),
        (_set("source", to=None), ManifestError, "'source' is None; expected an object"),
        (_set("source", "checkpoint_sha256", to="AB"), ManifestError, "'source': 'checkpoint_sha"),
        (_set("architecture", "family", to="gpt2"), ManifestError, "'gpt2'; expected one of"),
        (_set("architecture", "layers", to="12"), ManifestError, "'layers' is '12'"),
        (_set("architecture", "norm", to="middle"), ManifestError, "'middle'; expected one of aft"),
        (_set(*RELATIVE, "terms", to="c2p"), ManifestError, "a list of strings"),
        (_set(*RELATIVE, "terms", to=[1]), ManifestError, "a list of strings"),
        (_set(*RELATIVE, "terms", to=["q2c"]), ManifestError, "a list of c2p and p2c"),
        (_set(*RELATIVE, "terms", to=[]), ManifestError, "a list of c2p and p2c"),
        (_set(*RELATIVE, to=3), ManifestError, "'relative' is 3; expected an object"),
        (_set("architecture", "feed_forward", "kind", to="mixed"), ManifestError, "one of plain"),
        (_set("architecture", "head", "kind", to="mean"), ManifestError, "expected one of dense"),
        (_set("architecture", "head", to=_steps(3)), ManifestError, "'steps' is 3; expected a lis"),
        (_set("architecture", "head", to=_steps([1])), ManifestError, "'steps': expected an obj"),
        (_set("architecture", "head", to=_steps([{}])), ManifestError, "'kind' is missing"),
        (_set(*POSITIONS, "rotary", to={"base": 0}), ManifestError, "'base' is 0; expected a num"),
        (_set("architecture", "local_attention", to=_LOCAL), ManifestError, "from 0 to 0"),
        (
            _set("architecture", "norm_epsilon", to="x"),
            ManifestError,
            "a number from 1e-30 to 1",
        ),
        (_set("quantization", to=[]), ManifestError, "'quantization' is \\[\\]"),
        (_set("tools", to={"onnx": 1}), ManifestError, "'tools' is"),
        (_set("parity", to=3), ManifestError, "'parity' is 3"),
        (_set("files", to=[]), ManifestError, "'files' is"),
        (_drop("files", "tokenizer.json"), ManifestError, "does not list tokenizer.json"),
        (_set("files", "config.json", to=5), ManifestError, "'config.json' is 5"),
        (_set("files", "config.json", "size", to=-1), ManifestError, "'size' is -1"),
        (_set("files", "config.json", "sha256", to="0" * 63), ManifestError, "64 lower-case"),
        (_set("files", "../secret", to=RECORD), UnsafePathError, "'../secret' is not a plain"),
        (_set("files", "/etc/passwd", to=RECORD), UnsafePathError, "not a plain file name"),
        (_set("files", "a\\b", to=RECORD), UnsafePathError, "not a plain file name"),
        (_set("files", "sub/b", to=RECORD), UnsafePathError, "not a plain file name"),
        (_set("files", "c:evil", to=RECORD), UnsafePathError, "not a plain file name"),
        (_set("files", "..", to=RECORD), UnsafePathError, "not a plain file name"),
        (_set("files", "NUL", to=RECORD), UnsafePathError, "not a plain file name"),
        (_set("files", "com1.txt", to=RECORD), UnsafePathError, "not a plain file name"),
        (_set("files", "dot.", to=RECORD), UnsafePathError, "not a plain file name"),
        (_set("files", "a\u0000", to=RECORD), UnsafePathError, "not a plain file name"),
        (_set("files", "gone.bin", to=RECORD), ArtifactNotFoundError, "gone.bin: missing"),
    ],
)
def test_bad_manifests(
    make_artifact: Make,
    change: Callable[[dict[str, Any]], None],
    error: type[Exception],
    message: str,
) -> None:
    folder = edit(make_artifact(), change)
    with pytest.raises(error, match=message) as caught:
        load_artifact(folder)
    assert isinstance(caught.value, ArtifactError)
    assert "\n" not in str(caught.value)


def test_more_positions_than_the_model_has(make_artifact: Make) -> None:
    def change(value: dict[str, Any]) -> None:
        value["architecture"]["positions"]["absolute"] = 512
        value["max_length"] = 513

    with pytest.raises(ManifestError, match="'max_length' is 513; expected at most 512"):
        load_artifact(edit(make_artifact(), change))


@pytest.mark.parametrize("text", ["", "{", "[]", "NaN", '{"a": Infinity}', "\ud800", "[" * 100_000])
def test_manifests_that_are_not_json_objects(make_artifact: Make, text: str) -> None:
    folder = make_artifact()
    (folder / "manifest.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        load_artifact(folder)


def test_a_huge_manifest_is_not_read(make_artifact: Make) -> None:
    folder = make_artifact()
    (folder / "manifest.json").write_bytes(b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(ManifestError, match="larger than"):
        load_artifact(folder)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match="nowhere: no such folder"):
        load_artifact(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactNotFoundError, match="file: not a folder"):
        load_artifact(tmp_path / "file")
    with pytest.raises(ArtifactNotFoundError, match=r"has no manifest\.json"):
        load_artifact(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ArtifactNotFoundError, match="edge-rerank export"):
        load_artifact(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json", "probes.json"])
def test_tampered_truncated_and_missing_files(make_artifact: Make, name: str) -> None:
    folder = make_artifact()
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ChecksumError, match=f"{name}: SHA-256 is"):
        load_artifact(folder)
    if name != "config.json":  # which is read all the same
        assert load_artifact(folder, verify=False).manifest.name == "tiny"
    path.write_bytes(whole[:-1])
    with pytest.raises(ChecksumError, match=f"{len(whole) - 1} bytes, the manifest says"):
        load_artifact(folder, verify=False)
    path.unlink()
    with pytest.raises(ArtifactNotFoundError, match=name):
        load_artifact(folder, verify=False)
    path.mkdir()
    with pytest.raises(ArtifactError, match="not a regular file"):
        load_artifact(folder, verify=False)


def test_weights_outside_the_folder_are_not_read(make_artifact: Make, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    folder, model = make_artifact(), tiny_graph()
    weights = next(item for item in model.graph.initializer if item.name == "weights")
    (tmp_path / "secret.bin").write_bytes(weights.raw_data)
    onnx.external_data_helper.set_external_data(weights, "../secret.bin", 0, 160 * 4)
    weights.ClearField("raw_data")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_manifest(folder, tiny_manifest())
    with pytest.raises(UnsafePathError, match=r"keeps weights in '\.\./secret\.bin', which the"):
        Reranker.load(folder)


def test_weights_beside_the_graph_are_read(make_artifact: Make) -> None:
    onnx = pytest.importorskip("onnx")
    folder, model = make_artifact(), tiny_graph()
    with Reranker.load(folder, threads=1) as reranker:
        expected = reranker.rank("water", ["light", "steel"])
    weights = next(item for item in model.graph.initializer if item.name == "weights")
    (folder / "model.safetensors").write_bytes(b"12345678" + weights.raw_data)
    onnx.external_data_helper.set_external_data(weights, "model.safetensors", 8, 160 * 4)
    weights.ClearField("raw_data")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_manifest(folder, tiny_manifest())
    with Reranker.load(folder, threads=1) as reranker:
        assert reranker.rank("water", ["light", "steel"]) == expected


def test_a_graph_or_tokenizer_of_another_kind(make_artifact: Make) -> None:
    folder = make_artifact()
    model = tiny_graph(types=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_manifest(folder, tiny_manifest())
    with pytest.raises(EngineError, match=r"inputs are input_ids, .*token_type_ids; ex"):
        Reranker.load(folder)
    (folder / "model.onnx").write_bytes(b"not a graph")
    write_manifest(folder, tiny_manifest())
    with pytest.raises(EngineError, match="cannot be read as an ONNX graph"):
        Reranker.load(folder)
    (folder / "tokenizer.json").write_text("{}")
    write_manifest(folder, tiny_manifest())
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: not a tokenizer"):
        Reranker.load(folder)


def test_what_could_not_be_read_is_not_written(make_artifact: Make) -> None:
    folder = make_artifact()
    before = (folder / "manifest.json").read_bytes()
    for bad in (
        replace(tiny_manifest(), precision="int4"),
        replace(tiny_manifest(), parity={"rms": float("nan")}),
        replace(tiny_manifest(), quantization={"recipe": object()}),
    ):
        with pytest.raises(ManifestError):
            write_manifest(folder, bad)
    (folder / "config.json").unlink()
    with pytest.raises(ManifestError, match="does not list"):
        write_manifest(folder, tiny_manifest())
    (folder / "sub").mkdir()
    with pytest.raises(ArtifactError, match="not a regular file"):
        write_manifest(folder, tiny_manifest())
    assert (folder / "manifest.json").read_bytes() == before
    assert not list(folder.glob("*.partial"))


def test_probes_survive_the_round_trip(make_artifact: Make) -> None:
    folder = make_artifact()
    probes = (Probe("", "wörld ☃", -1.25), Probe("q\n", "", 0.1))
    write_probes(folder, probes)
    write_manifest(folder, tiny_manifest())
    assert load_probes(load_artifact(folder)) == probes


def test_no_built_in_model_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_rerank.artifact.builtin._PACKAGE", "edge_rerank.no_such_package")
    assert builtin_model() == ROOT / "quantized" / "mini"  # this is a clone
    monkeypatch.setattr("edge_rerank.artifact.builtin._IN_A_CLONE", tmp_path / "quantized")
    with pytest.raises(ArtifactNotFoundError, match=r"no built-in model: name a model folder"):
        Reranker.load()
