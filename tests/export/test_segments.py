"""Segment models: what training makes against torch, on both engines, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker, verify
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.native_library import load_library
from edge_rerank.parity.agreement import agree
from edge_rerank.tokenizing.choose import PairTokenizer
from tests.conftest import PROBES, TOGETHER, VOCABULARY, word_tokenizer
from tests.export.test_bert import export, logits
from tests.support.batches import Row, batch_of
from tests.support.segments import random_rows, row_of, write_segment_checkpoint

VARIATIONS: dict[str, dict[str, Any]] = {
    "one layer across": {},
    "three across": {"correction_layers": 3, "correction_norm_eps": 0.5},
    "one type": {"type_vocab_size": 1, "num_hidden_layers": 1, "layer_norm_eps": 0.5},
}
# Of query and passage: both may be longer than a block of rows, or have no token of their own.
SIZES = [
    *((0, 0), (1, 1), (0, 9), (9, 0), (3, 17), (12, 80), (12, 81), (14, 30), (15, 15), (46, 47)),
    *((97, 3), (120, 150), (4, 250), (6, 60), (6, 61), (7, 64), (10, 90), (30, 44)),
]


def of_training(folder: Path, rows: list[Row]) -> Any:
    """Return the logits as the training package computes them: each text by itself."""
    import torch

    from edge_rerank_training.segments import SegmentReranker

    model, found = SegmentReranker.load(folder), []
    for row in rows:
        texts = (torch.tensor([part]) for part in (row.ids[: row.first], row.ids[row.first :]))
        with torch.no_grad():
            query, passage = (model.segment(ids, torch.ones_like(ids).bool()) for ids in texts)
            found.append(model(query, passage).item())
    return np.array(found, np.float32)


def of_reference(folder: Path, rows: list[Row]) -> Any:
    from edge_rerank_export.checkpoint import open_checkpoint
    from edge_rerank_export.reference import TorchReference

    return TorchReference(open_checkpoint(folder)).logits(batch_of(rows))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_segment_checkpoint(tmp_path_factory.mktemp("segments") / "model")


@pytest.fixture(scope="module")
def int8(checkpoint: Path, few_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8") / "model"
    return export(checkpoint, folder, calibration=few_pairs, allow_poor_parity=True)


@pytest.mark.parametrize("variation", VARIATIONS)
def test_logits_are_torch_s(variation: str, tmp_path: Path) -> None:
    changes, rows = VARIATIONS[variation], random_rows(SIZES)
    folder = write_segment_checkpoint(tmp_path / "checkpoint", changes)
    expected = of_reference(folder, rows)
    assert expected.std() > 0.05
    if "correction_layers" not in changes:
        np.testing.assert_allclose(of_training(folder, rows), expected, atol=1e-5)
    artifact = export(folder, tmp_path / "model", precision="fp32")
    architecture = load_artifact(artifact).manifest.architecture
    assert architecture.family == "segment-bert"
    assert architecture.encoding_layers == changes.get("num_hidden_layers", 2)
    for engine in ("native", "onnxruntime"):
        np.testing.assert_allclose(logits(artifact, batch_of(rows), engine), expected, atol=1e-4)


def test_int8_is_near_and_the_same_on_every_kernel(checkpoint: Path, int8: Path) -> None:
    rows = random_rows(SIZES)
    expected = of_training(checkpoint, rows)
    found = [
        logits(int8, batch_of(rows), "onnxruntime"),
        *(logits(int8, batch_of(rows), "native", kernel) for kernel in load_library().kernels),
    ]
    for one in found:
        assert agree(one.tolist(), expected.tolist()).rms_in_sigma < 0.1
    for one in found[2:]:
        np.testing.assert_array_equal(one, found[1])


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_no_score_depends_on_its_company(engine: Any, int8: Path) -> None:
    """A query that many passages have, and a passage that many queries have, give the same bits."""
    rows = random_rows([(2, 5), (9, 40), (9, 41), (20, 44), (60, 6)])
    queries = [row.ids[1 : row.first - 1] for row in rows]
    passages = [row.ids[row.first + 1 : -1] for row in rows]
    pairs = [row_of(list(query), list(passage)) for query in queries for passage in passages]
    with Reranker.load(int8, engine=engine, self_check=False) as reranker:
        compute = reranker._parts()[1].logits
        together = compute(batch_of(pairs))
        alone = np.concatenate([compute(batch_of([pair])) for pair in pairs])
    np.testing.assert_array_equal(together, alone)
    assert len(np.unique(together)) == len(pairs)


def test_a_query_is_computed_once_for_all_its_passages(int8: Path) -> None:
    """Multiply-adds are those of the distinct texts, and of each pair's layer across."""
    (row, *_), passages = random_rows([(30, 1)]), random_rows([(1, 20)] * 10, seed=2)
    pairs = [Row(row.ids[: row.first] + pair.ids[pair.first :], row.first) for pair in passages]
    size, wide, layers = 64, 128, 2
    layer = 4 * size**2 + 2 * size * wide
    across = size * (2 * size + 2 * wide)  # queries, and what follows attention
    tokens = 32 + 10 * 22
    expected = tokens * (layers * layer + 2 * size**2) + 10 * 32 * across
    with Reranker.load(int8, engine="native", self_check=False) as reranker:
        before = reranker.describe().multiply_adds
        reranker._parts()[1].logits(batch_of(pairs))
        after = reranker.describe().multiply_adds
    assert before is not None
    assert after is not None
    assert after - before == expected


def test_a_text_without_any_token(int8: Path) -> None:
    """No tokenizer gives such; the engines compute the same of what a caller may pass in."""
    whole = random_rows([(5, 20)])[0]
    pairs = [Row(whole.ids, 0), Row(whole.ids, len(whole.ids)), Row(whole.ids[:1], 1), whole]
    native, onnx = (logits(int8, batch_of(pairs), name) for name in ("native", "onnxruntime"))
    np.testing.assert_allclose(native, onnx, atol=0.05)


def test_statistics_are_those_of_the_rows_that_engines_compute(checkpoint: Path) -> None:
    import torch

    from edge_rerank_export.checkpoint import open_checkpoint
    from edge_rerank_export.reference import TorchReference
    from edge_rerank_export.statistics import collect_statistics
    from edge_rerank_training.segments import SegmentReranker

    rows = random_rows(SIZES)
    opened, model = open_checkpoint(checkpoint), SegmentReranker.load(checkpoint)
    found = collect_statistics(TorchReference(opened), opened.architecture, batch_of(rows))
    across = model.correction
    watched = {
        "layers.1.ffn.down": model.encoder.encoder.layer[1].output.dense,
        "layers.2.attention.key": across.value,
        "layers.2.attention.query": across.query,
        "layers.2.attention.output": across.output,
        "layers.2.ffn.up": across.up,
    }
    seen: dict[str, list[Any]] = {name: [] for name in watched}
    for name, module in watched.items():
        module.register_forward_pre_hook(
            lambda module, inputs, name=name: seen[name].append(inputs[0][0].detach())
        )
    for row in rows:
        texts = (torch.tensor([part]) for part in (row.ids[: row.first], row.ids[row.first :]))
        model(*(model.segment(ids, torch.ones_like(ids).bool()) for ids in texts))
    for name, values in seen.items():
        expected = torch.cat(values)
        assert found[name].count == len(expected)
        torch.testing.assert_close(found[name].peak, expected.abs().amax(0), atol=1e-4, rtol=1e-4)


def test_everything_works_on_such_an_artifact(int8: Path) -> None:
    document = "plants make sugar from light. " * 60
    with Reranker.load(int8) as reranker:
        description = reranker.describe()
        assert (description.engine, description.tokenizer) == ("native", "native")
        assert len(reranker.rank("light", ["plants make sugar", "water " * 500])) == 2
        (cut,) = reranker.rank("light", [document])
        (windows,) = reranker.rank("light", [document], long_documents="windows")
    assert cut.truncated
    assert not windows.truncated
    assert "weights" not in [check.name for check in verify(int8).failures]


def test_tokenizers_agree_at_every_length(int8: Path) -> None:
    pairs = [*PROBES, ("light " * 90, "water"), ("how do", "plants eat " * 90), ("", "")]
    for max_length in (6, 7, 8, 9, 15, 16, 33, 100):
        ours, theirs = (
            PairTokenizer(int8 / "tokenizer.json", max_length=max_length, tokenizer=name).encode(
                pairs
            )
            for name in ("native", "tokenizers")
        )
        for member in ("ids", "offsets", "first_segments", "truncated"):
            np.testing.assert_array_equal(getattr(ours, member), getattr(theirs, member))


def altered(artifact: Path, tmp_path: Path, change: Any) -> Path:
    """Copy an artifact whose manifest is changed, and its checksum left out."""
    import shutil

    folder = tmp_path / "altered"
    shutil.copytree(artifact, folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["sha256"]
    change(manifest["architecture"])
    path.write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda shape: shape.update(segments={"crossing": 0, "norm_epsilon": 1}),
            "crossing.*an integer from 1 to 2",
        ),
        (
            lambda shape: shape.update(segments={"crossing": 3, "norm_epsilon": 1}),
            "crossing.*an integer from 1 to 2",
        ),
        (lambda shape: shape.update(segments={}), "crossing.*an integer from 1 to 2"),
        (lambda shape: shape.update(segments={"crossing": 1}), "norm_epsilon.*a number from"),
        (
            lambda shape: shape.update(segments={"crossing": 2, "norm_epsilon": 1e-5}),
            "num_hidden_layers is 2 in config.json, 1 in the manifest",
        ),
        (lambda shape: shape.update(segments=None), "num_hidden_layers is 2 in config.json, 3 in"),
    ],
)
def test_manifests_that_are_refused(change: Any, message: str, int8: Path, tmp_path: Path) -> None:
    from edge_rerank import ArtifactError

    with pytest.raises(ArtifactError, match=message):
        Reranker.load(altered(int8, tmp_path, change))


def test_the_native_engine_refuses_what_it_cannot_compute(int8: Path, tmp_path: Path) -> None:
    from edge_rerank.native_library import UnavailableError
    from tests.native.calls import opened

    folder = altered(int8, tmp_path, lambda shape: shape.update(norm="before"))
    with (
        pytest.raises(UnavailableError, match="segments go with two token types"),
        opened(load_library(), folder),
    ):
        pass


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correction_layers": 0}, "correction_layers is 0; expected a whole number >= 1"),
        ({"correction_layers": "two"}, "correction_layers is 'two'; expected a whole number"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'; known are gelu"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'; known are gelu"),
        ({"correction_norm_eps": "tiny"}, "correction_norm_eps is 'tiny'; expected a number"),
        ({"quantization_config": {"bits": 8}}, "quantised already"),
    ],
)
def test_configurations_that_are_refused(changes: dict[str, Any], message: str) -> None:
    from edge_rerank_export import CheckpointError
    from edge_rerank_export.families import read_layout
    from tests.support.segments import SEGMENTS

    with pytest.raises(CheckpointError, match=message):
        read_layout(SEGMENTS | changes, "config.json")


def test_a_template_that_sets_texts_differently_is_refused(tmp_path: Path) -> None:
    from edge_rerank_export import CheckpointError

    folder = write_segment_checkpoint(tmp_path / "checkpoint")
    word_tokenizer(pair=TOGETHER).save(str(folder / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="does not set both texts in the same special tokens"):
        export(folder, tmp_path / "model", precision="fp32")


@pytest.mark.parametrize(
    "name", ["correction.key.weight", "correction.pooler.bias", "scale", "bias"]
)
def test_a_weight_that_is_missing_is_named(name: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from edge_rerank_export import CheckpointError

    folder = write_segment_checkpoint(tmp_path / "checkpoint")
    weights = load_file(folder / "model.safetensors")
    del weights[name]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=f"the weights lack {name}"):
        export(folder, tmp_path / "model", precision="fp32")


def test_modules_beside_it_are_refused(checkpoint: Path) -> None:
    from types import SimpleNamespace

    from edge_rerank_export import CheckpointError
    from edge_rerank_export.families import read_layout
    from tests.support.segments import SEGMENTS

    with pytest.raises(CheckpointError, match=r"has a head of its own; remove modules\.json"):
        read_layout(SEGMENTS, "config.json", modules=SimpleNamespace())


def test_a_vocabulary_s_size_is_the_checkpoint_s(checkpoint: Path) -> None:
    from edge_rerank_export.checkpoint import open_checkpoint

    opened = open_checkpoint(checkpoint)
    assert opened.architecture.vocab_size == VOCABULARY
    assert opened.max_length == 300
