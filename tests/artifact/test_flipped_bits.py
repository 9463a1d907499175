"""Every single bit of the files that are read as text: refused by name, or without any effect."""

from __future__ import annotations

import ctypes
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import ArtifactError, ChecksumError, InputError, ManifestError, verify
from edge_rerank.artifact.config import config_conflicts, conflicts
from edge_rerank.artifact.fields import Fields, parse_json
from edge_rerank.artifact.folder import load_artifact, load_probes, write_manifest
from edge_rerank.artifact.manifest import Manifest
from edge_rerank.artifact.seal import seal_holds, sealed
from edge_rerank.native_library import Options, UnavailableError, load_library
from edge_rerank.testing import GoldenScores
from tests.conftest import tiny_manifest
from tests.support.models import DEBERTA
from tests.support.tampering import edit_json

Make = Callable[..., Path]


def flipped(raw: bytes) -> Iterator[tuple[int, bytes]]:
    for place in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[place // 8] ^= 1 << place % 8
        yield place, bytes(changed)


def read(raw: bytes, config: Path) -> Manifest:
    """Read a manifest as opening an artifact does, without the files that it lists."""
    value = parse_json(raw, "manifest.json")
    manifest = Manifest.from_json(value)
    if seal_holds(value) is False:
        raise ChecksumError("the manifest's own checksum")
    if config_conflicts(config, manifest.architecture):
        raise ManifestError("config.json")
    return manifest


def test_every_bit_of_a_manifest() -> None:
    folder = DEBERTA
    raw, config = (folder / "manifest.json").read_bytes(), folder / "config.json"
    whole = read(raw, config)
    refused = 0
    for place, changed in flipped(raw):
        try:
            found = read(changed, config)
        except ArtifactError:
            refused += 1
        else:
            assert found == whole, place
    # The rest lies in the name "sha256": without its checksum, all else still says the same.
    assert refused >= 8 * len(raw) - 8 * len("sha256")


def test_a_manifest_without_a_checksum_is_held_to_the_configuration() -> None:
    """Older artifacts: shape, activations and epsilon cannot change without a word."""
    folder = DEBERTA
    value = json.loads((folder / "manifest.json").read_bytes())
    del value["sha256"]
    raw, config = json.dumps(value, indent=2).encode(), folder / "config.json"
    whole = read(raw, config)
    for place, changed in flipped(raw):
        try:
            found = read(changed, config)
        except ArtifactError:
            continue
        assert (found.architecture, found.precision) == (whole.architecture, whole.precision), place


def test_every_bit_of_the_configuration() -> None:
    """With ``verify=False`` nothing but its size and its values are looked at."""
    architecture = load_artifact(DEBERTA).manifest.architecture
    for _, changed in flipped((DEBERTA / "config.json").read_bytes()):
        try:
            value = Fields.of(parse_json(changed, "config.json"), "config.json").value
            assert all(isinstance(found, str) for found in conflicts(value, architecture))
        except ArtifactError as error:
            assert "config.json" in str(error)  # noqa: PT017


def test_every_bit_of_a_probe(make_artifact: Make) -> None:
    artifact = load_artifact(make_artifact())
    path = artifact.file("probes.json")
    raw = path.read_bytes()
    end = raw.index(b"}") + 2
    for _, changed in flipped(raw[:end]):
        path.write_bytes(changed + raw[end:])
        try:
            load_probes(artifact)
        except ArtifactError as error:
            assert "probes.json" in str(error)  # noqa: PT017


ABSURD = ["9" * 400, "-" + "9" * 41, "1e999", "-1e999", "1e200", "4e38", "1" + "0" * 5000, "NaN"]


@pytest.mark.parametrize("number", ABSURD)
@pytest.mark.parametrize(
    "member",
    [
        *("max_length", "layers", "vocab_size", "pad_token_id", "buckets", "head_size"),
        *("norm_epsilon", "size", "rms_error", "pairs", "later"),
    ],
)
def test_absurd_numbers_in_the_manifest(make_artifact: Make, member: str, number: str) -> None:
    folder = make_artifact()
    path = folder / "manifest.json"
    value = json.loads(path.read_bytes())
    value["later"] = 0
    value["parity"] = {"int8_against_fp32_graph": {"rms_error": 0, "pairs": 0}}
    text = json.dumps(sealed(value))
    assert f'"{member}": ' in text
    start, _, end = text.partition(f'"{member}": ')
    path.write_text(
        f'{start}"{member}": {number}{end[len(end) - len(end.lstrip("-0123456789.e")) :]}'
    )
    for act in (load_artifact, lambda folder: load_artifact(folder, verify=False)):
        with pytest.raises(ArtifactError, match=r"manifest\.json") as caught:
            act(folder)
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize("number", ABSURD)
def test_absurd_numbers_in_probes_and_golden_scores(
    make_artifact: Make, tmp_path: Path, number: str
) -> None:
    folder = make_artifact()
    text = '{"format_version": 1, "pairs": [{"query": "", "document": "", "logit": %s}]}'
    (folder / "probes.json").write_text(text % number)
    write_manifest(folder, tiny_manifest())
    for act in (lambda: load_probes(load_artifact(folder)), lambda: verify(folder)):
        with pytest.raises(ManifestError, match=r"probes\.json"):
            act()
    golden = tmp_path / "golden.json"
    golden.write_text((text % number).replace("logit", "score"))
    with pytest.raises(InputError, match=r"golden\.json"):
        GoldenScores.read(golden)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "'a' is there twice"),
        ('{"a": {"b": 1, "b": 1}}', "'b' is there twice"),
        ('{"a": "\\ud800"}', "surrogates not allowed"),
        ('{"\\uDFFF": 1}', "surrogates not allowed"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_json_that_is_not_strict(text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=f"file.json: not valid JSON.*{message}"):
        parse_json(text.encode(), "file.json")
    assert parse_json(b'{"a": "\\ud83d\\ude00"}', "x") == {"a": "😀"}


def test_verify_reports_an_edited_manifest_and_one_without_checksum(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(DEBERTA, folder)
    path = folder / "manifest.json"
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b'"max_length": 512', b'"max_length": 448'))
    report = verify(folder)
    assert {check.name for check in report.failures} == {"manifest", "weights"}
    assert report.engine is None
    with pytest.raises(ChecksumError, match=r"manifest\.json: its values do not have the SHA-256"):
        load_artifact(folder, verify=False)
    value: dict[str, Any] = json.loads(raw)
    del value["sha256"]
    path.write_text(json.dumps(value))
    report = verify(folder)
    assert report.holds
    assert report.checks[1].passed is None
    assert "no checksum of itself" in report.checks[1].found


def test_the_order_of_members_and_spaces_do_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(DEBERTA, folder)
    value = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(dict(reversed(value.items())), indent=7))
    assert load_artifact(folder).sealed
    edit_json(folder / "manifest.json", lambda value: value.update(later=[1, 2.5, "ü"]))
    assert load_artifact(folder).sealed


def test_scores_that_no_float_can_square(tmp_path: Path) -> None:
    scores = iter([1e200, -1e200])
    with pytest.raises(InputError, match="finite"):
        GoldenScores.record(
            lambda pairs: [next(scores) for _ in pairs], [("a", "b"), ("c", "d")], tmp_path / "g"
        )


def test_absurd_numbers_in_the_library_alone(tmp_path: Path) -> None:
    """The C interface reads the manifest itself, and refuses the same numbers."""
    try:
        library = load_library()
    except UnavailableError as error:
        pytest.skip(str(error))
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in DEBERTA.iterdir():
        (folder / path.name).symlink_to(path)
    raw = (DEBERTA / "manifest.json").read_text("utf-8")
    (folder / "manifest.json").unlink()
    options = Options(size=ctypes.sizeof(Options), threads=1, kernel=b"scalar")
    for member in ("layers", "vocab_size", "layer_norm_eps", "max_length", "head_size"):
        start, _, end = raw.partition(f'"{member}": ')
        for number in [*ABSURD, "0", "-1", "1" * 4000]:
            rest = end.lstrip("-0123456789.e")
            (folder / "manifest.json").write_text(f'{start}"{member}": {number}{rest}')
            with pytest.raises(ArtifactError, match=r"manifest\.json"):
                library.open(bytes(folder), options)
