"""Artifacts broken on purpose: each is caught, by its checksums and, without them, all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import ChecksumError, EdgeRerankError, ManifestError, Reranker, verify
from edge_rerank.artifact.folder import load_artifact, load_probes
from tests.conftest import word_tokenizer
from tests.support.tampering import (
    change_tensor,
    copy_of_model,
    edit_json,
    record_again,
    swap_tensors,
)

Spoil = Callable[[Path], None]
WEIGHTS = "model.safetensors"


def scale(folder: Path) -> None:
    change_tensor(folder, "layers.2.attention.value.scale", lambda scales: scales * 1.25)


def one_scale(folder: Path) -> None:
    def change(scales: Any) -> Any:
        scales = scales.copy()
        scales[7] *= 100
        return scales

    change_tensor(folder, "layers.2.ffn.down.scale", change)


def zeros(folder: Path) -> None:
    change_tensor(folder, "layers.0.attention.query.weight", np.zeros_like)


def swapped(folder: Path) -> None:
    swap_tensors(folder, "layers.2.attention.query.weight", "layers.3.attention.query.weight")


def words(folder: Path) -> None:
    change_tensor(folder, "embeddings.word.weight", lambda rows: np.roll(rows, 1, axis=0))


def tokenizer(folder: Path) -> None:
    word_tokenizer().save(str(folder / "tokenizer.json"))


def other_words(folder: Path) -> None:
    """The same words under other numbers: a tokenizer of the same size, of another model."""

    def change(value: dict[str, Any]) -> None:
        vocabulary = value["model"]["vocab"]
        names, numbers = list(vocabulary), list(vocabulary.values())
        shifted = numbers[2000:] + numbers[1000:2000]
        value["model"]["vocab"] = dict(zip(names, numbers[:1000] + shifted, strict=True))

    edit_json(folder / "tokenizer.json", change)


PROBED: list[tuple[Spoil, str]] = [
    (scale, WEIGHTS),
    (one_scale, WEIGHTS),
    (zeros, WEIGHTS),
    (swapped, WEIGHTS),
    (words, WEIGHTS),
    (tokenizer, "tokenizer.json"),
    (other_words, "tokenizer.json"),
]


@pytest.mark.parametrize(("spoil", "file"), PROBED)
def test_probes_find_what_checksums_do_not(tmp_path: Path, spoil: Spoil, file: str) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    spoil(folder)
    with pytest.raises(ChecksumError, match=f"{file}: (has|SHA-256 is) "):
        Reranker.load(folder)
    record_again(folder)
    report = verify(folder)
    assert not report.holds
    failed = {check.name: check for check in report.failures}
    assert "rms_error" in failed
    assert "weights, scales or tokenizer are not its own" in failed["rms_error"].remedy
    # It computes something else, but does that soundly.
    assert failed.keys() <= {"rms_error", "max_error", "kendall_tau", "top_k_overlap"}


def test_damage_is_listed_and_not_run(tmp_path: Path) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    scale(folder)
    report = verify(folder)
    (failed,) = report.failures
    assert (failed.name, failed.found) == ("checksums", "model.safetensors differs")
    assert (report.engine, report.agreement, report.tokens) == (None, None, 0)
    assert [file.name for file in report.files if not file.matches] == [WEIGHTS]
    without = verify(folder, checksums=False)
    assert "rms_error" in {check.name for check in without.failures}
    assert [check.passed for check in without.checks[:3]] == [True, True, None]


def test_truncated_weights(tmp_path: Path) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    for act in (verify, Reranker.load, lambda folder: Reranker.load(folder, verify=False)):
        with pytest.raises(ChecksumError, match=f"{WEIGHTS}: has .* bytes, the manifest says"):
            act(folder)
    record_again(folder)
    (failed,) = verify(folder).failures
    assert failed.name == "weights"
    assert f"{WEIGHTS} has {len(whole) // 2:,} bytes, and embeddings." in failed.found
    with pytest.raises(EdgeRerankError):
        Reranker.load(folder)
    (folder / WEIGHTS).write_bytes(b"x" * 100)
    record_again(folder)
    (failed,) = verify(folder).failures
    assert f"the header of {WEIGHTS} cannot be read" in failed.found


@pytest.mark.parametrize("number", ["1e999", "9" * 400, "1" * 5000, "NaN", "null", '"x"', "[]"])
def test_absurd_offsets_of_weights(tmp_path: Path, number: str) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    start = '{"embeddings.word.weight":{"dtype":"I8","shape":[1],"data_offsets":[0,'
    data = f"{start}{number}]}}}}".encode()
    (folder / WEIGHTS).write_bytes(len(data).to_bytes(8, "little") + data)
    record_again(folder)
    (failed,) = verify(folder).failures
    assert failed.name == "weights"
    assert f"the header of {WEIGHTS} cannot be read" in failed.found
    assert len(failed.found) < 300
    with pytest.raises(EdgeRerankError):
        Reranker.load(folder)


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (("architecture", "layers", 5), "config", "num_hidden_layers is 6 in config.json, 5 in"),
        (("architecture", "hidden_act", "relu"), "config", "hidden_act is 'gelu' in config.json"),
        (
            ("max_length", 768),
            "weights",
            "bucket is I32 of 1024, by the manifest I32 of 1536",
        ),
        (("architecture", "embedding_size", 128), "weights", "27413 x 384, by the manifest I8 of"),
        (("architecture", "layers", 7), "weights", "has no layers.6.attention.query.weight"),
        (("architecture", "layers", 5), "weights", "has more layers than the manifest"),
        (("parity", "int8_against_fp32_graph", "sigma", 9.0), "recorded_parity", "sigma is 9 in"),
        (("parity", "int8_against_fp32_graph", "pairs", 500), "recorded_parity", "500 probes, not"),
        (("parity", {}), "recorded_parity", "no usable 'int8_against_fp32_graph'"),
        (("precision", "fp32"), "weights", "is I8 of 27413 x 384, by the manifest F32 of"),
    ],
)
def test_edited_manifests(tmp_path: Path, change: tuple[Any, ...], name: str, message: str) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    *keys, last, value = change

    def edit(manifest: dict[str, Any]) -> None:
        for key in keys:
            manifest = manifest[key]
        manifest[last] = value

    edit_json(folder / "manifest.json", edit)
    assert message in {check.name: check.found for check in verify(folder).failures}[name]
    if name == "config":
        with pytest.raises(ManifestError, match=r"differs from config\.json: "):
            Reranker.load(folder, verify=False)


def test_edited_sums(tmp_path: Path) -> None:
    folder = copy_of_model(tmp_path / "spoilt")

    def edit(manifest: dict[str, Any]) -> None:
        manifest["files"]["config.json"]["sha256"] = "0" * 64

    edit_json(folder / "manifest.json", edit)
    with pytest.raises(ChecksumError, match=r"config\.json: SHA-256 is .*says 0000"):
        Reranker.load(folder)
    assert verify(folder).failures[0].found == "config.json differs"


def test_changed_config(tmp_path: Path) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    edit_json(folder / "config.json", lambda config: config.update(position_buckets=128))
    with pytest.raises(ChecksumError, match=r"config\.json"):
        Reranker.load(folder)
    record_again(folder)
    report = verify(folder)
    assert [check.name for check in report.failures] == ["config"]
    assert "position_buckets is 128 in config.json, 256" in report.failures[0].found


def test_probes_that_say_nothing(tmp_path: Path) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    count = len(load_probes(load_artifact(folder)))
    edit_json(folder / "probes.json", lambda value: value.update(pairs=value["pairs"][:1]))
    record_again(folder)
    failed = {check.name: check for check in verify(folder).failures}
    assert failed["probes"].found == "1 probe pairs, 1 different logits"
    assert "export the model again" in failed["probes"].remedy
    assert f"about {count} probes, not 1" in failed["recorded_parity"].found
