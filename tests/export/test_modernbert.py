"""ModernBERT cross-encoders: every variation against torch, long pairs, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker, verify
from edge_rerank.artifact.config import conflicts
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.native_library import load_library
from edge_rerank.pairs import TokenizedBatch
from edge_rerank.parity.agreement import agree
from tests.conftest import VOCABULARY
from tests.export.conftest import MODERNBERT, Make
from tests.export.test_bert import export, logits
from tests.export.test_shapes import ASKED
from tests.support.batches import Row, batch_of

VARIATIONS: dict[str, dict[str, Any]] = {
    "first token": {},
    "mean": {"classifier_pooling": "mean", "classifier_activation": "tanh"},
    "biases": {
        **dict.fromkeys(("attention_bias", "mlp_bias", "norm_bias", "classifier_bias"), True),
        "hidden_activation": "gelu_new",
    },
    "narrow window": {"local_attention": 9, "global_attn_every_n_layers": 2},
    "no local layers": {"global_attn_every_n_layers": 1, "local_rope_theta": None},
    "one layer, mean": {"num_hidden_layers": 1, "classifier_pooling": "mean"},
    "last layer local": {"num_hidden_layers": 3, "norm_eps": 1e-3},
}
WINDOW = (63, 64, 65, 66, 127, 128, 129, 130)
LONGEST = MODERNBERT["max_position_embeddings"]
LENGTHS = (1, 2, 3, 4, 5, 8, 9, 10, 15, 16, 17, 33, 48, 49, *WINDOW, 191, 192, 193, 255, 256, 257)


def random_batch(lengths: tuple[int, ...], vocabulary: int = VOCABULARY) -> TokenizedBatch:
    rng = np.random.default_rng(1)
    return batch_of(
        Row(tuple(rng.integers(4, vocabulary, length).tolist()), 1)
        for length in rng.permutation(lengths).tolist()
    )


def from_torch(folder: Path, batch: TokenizedBatch) -> Any:
    from edge_rerank_export.checkpoint import open_checkpoint
    from edge_rerank_export.reference import TorchReference

    return TorchReference(open_checkpoint(folder)).logits(batch)


@pytest.mark.parametrize("variation", VARIATIONS)
def test_logits_are_torch_s(variation: str, make_checkpoint: Make, tmp_path: Path) -> None:
    folder = make_checkpoint(MODERNBERT | VARIATIONS[variation])
    batch = random_batch((*LENGTHS, LONGEST - 1, LONGEST))
    expected = from_torch(folder, batch)
    artifact = export(folder, tmp_path / "model", precision="fp32")
    assert load_artifact(artifact).manifest.architecture.family == "modernbert"
    for engine in ("native", "onnxruntime"):
        np.testing.assert_allclose(logits(artifact, batch, engine), expected, atol=1e-4)


@pytest.mark.parametrize("variation", ["first token", "biases"])
def test_int8_is_near_and_the_same_on_every_kernel(
    variation: str, make_checkpoint: Make, few_pairs: Path, tmp_path: Path
) -> None:
    folder = make_checkpoint(MODERNBERT | VARIATIONS[variation])
    batch = random_batch((*LENGTHS, LONGEST))
    expected = from_torch(folder, batch)
    artifact = export(folder, tmp_path / "model", calibration=few_pairs, allow_poor_parity=True)
    tensors = (artifact / "model.safetensors").read_bytes()
    assert tensors.count(b'.smooth"') == 1  # of the first layer's attention, which has no norm
    found = [
        logits(artifact, batch, "onnxruntime"),
        *(logits(artifact, batch, "native", kernel) for kernel in load_library().kernels),
    ]
    for one in found:
        parity = agree(one.tolist(), expected.tolist())
        assert parity.rms_in_sigma < 0.05
        assert parity.kendall_tau > 0.95  # of pairs of random words, which differ little
    for one in found[2:]:
        np.testing.assert_array_equal(one, found[1])


def test_everything_works_on_such_an_artifact(
    make_checkpoint: Make, few_pairs: Path, tmp_path: Path
) -> None:
    artifact = export(
        make_checkpoint(MODERNBERT), tmp_path / "m", calibration=few_pairs, allow_poor_parity=True
    )
    with Reranker.load(artifact) as reranker:
        assert reranker.describe().engine == "native"
        assert len(reranker.rank("light", ["plants make sugar", "water " * 500])) == 2
    failures = [check.name for check in verify(artifact).failures]
    assert "weights" not in failures
    path = artifact / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["sha256"]
    manifest["architecture"]["head"]["steps"][0]["outputs"] = 32
    path.write_text(json.dumps(manifest))
    (failure,) = [check for check in verify(artifact).failures if check.name == "weights"]
    assert "head.0.weight is I8 of 64 x 64, by the manifest I8 of 32 x 64" in failure.found


def test_memory_of_long_pairs_grows_with_the_length(make_checkpoint: Make, tmp_path: Path) -> None:
    changes = {"max_position_embeddings": 8192, "hidden_size": 32, "intermediate_size": 32}
    artifact = export(make_checkpoint(MODERNBERT | changes), tmp_path / "model", precision="fp32")
    room = {}
    for length in (2048, 4096, 8192):
        with Reranker.load(artifact, max_length=length, self_check=False) as reranker:
            memory = reranker.describe().memory
            assert memory is not None
            room[length] = memory.buffers_bytes
    assert room[8192] < 2.1 * room[4096]
    assert room[8192] < 8192 * 32 * 4 * 40


SHAPES = {
    "ettin-17m": (7, 256, 4, 384, "cls"),
    "ettin-32m": (10, 384, 6, 576, "cls"),
    "gte-reranker-modernbert-base": (22, 768, 12, 1152, "mean"),
    "granite-embedding-reranker-english-r2": (22, 768, 12, 1152, "cls"),
}


def published(shape: str) -> dict[str, Any]:
    layers, hidden, heads, intermediate, pooling = SHAPES[shape]
    return MODERNBERT | {
        "vocab_size": 50368, "hidden_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": heads, "intermediate_size": intermediate,
        "max_position_embeddings": 8192, "classifier_pooling": pooling,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_published_shapes(
    shape: str, make_checkpoint: Make, few_pairs: Path, tmp_path: Path
) -> None:
    """With the published vocabulary's size; int8, which takes minutes, of the smallest one."""
    config = published(shape)
    if config["hidden_size"] >= 768 and os.environ.get(ASKED) != "1":
        config["num_hidden_layers"] = 4  # a global one, two local ones, a global one
    folder = make_checkpoint(config)
    batch = random_batch((5, 33, *WINDOW, 200, 512), 50368)
    expected = from_torch(folder, batch)
    for precision in ("fp32", "int8") if shape == "ettin-17m" else ("fp32",):
        options = {"calibration": few_pairs} if precision == "int8" else {}
        artifact = export(
            folder, tmp_path / precision, precision=precision, allow_poor_parity=True, **options
        )
        found = [logits(artifact, batch, engine) for engine in ("onnxruntime", "native")]
        for one in found:
            if precision == "fp32":
                np.testing.assert_allclose(one, expected, atol=1e-3)
            else:
                assert agree(one.tolist(), expected.tolist()).rms_in_sigma < 0.1


@pytest.mark.slow
def test_the_longest_pair(make_checkpoint: Make, tmp_path: Path) -> None:
    """8,192 tokens against transformers: windows and both rotary bases, far from the start."""
    folder = make_checkpoint(published("ettin-17m"))
    batch = random_batch((8192, 5, 3000), 50368)
    expected = from_torch(folder, batch)
    artifact = export(folder, tmp_path / "model", precision="fp32")
    np.testing.assert_allclose(logits(artifact, batch, "native"), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_activation": "silu"}, "hidden_activation is 'silu'; known are gelu"),
        ({"classifier_activation": "silu"}, "classifier_activation is 'silu'; known are gelu"),
        ({"classifier_pooling": "max"}, "classifier_pooling is 'max'; known are cls, mean"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling is {'type': 'linear'}; known is non"),
        ({"layer_types": ["sliding_attention"] * 4}, "layer_types is .*known is full_attention"),
        ({"local_attention": 1}, "local_attention is 1; expected a whole number >= 2"),
        ({"num_attention_heads": 64}, "64 heads of hidden_size 64 are 1 wide; expected an even"),
        ({"global_rope_theta": 0.5}, "the base of rotary positions is 0.5; expected >= 1"),
        ({"rope_parameters": 3}, "rope_parameters is 3"),
        (
            {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}},
            "rope_type is 'yarn'; known are default",
        ),
        ({"num_labels": 3}, "head gives 3 logits"),
    ],
)
def test_configurations_that_are_refused(changes: dict[str, Any], message: str) -> None:
    from edge_rerank_export import CheckpointError
    from edge_rerank_export.families import read_layout

    with pytest.raises(CheckpointError, match=message):
        read_layout({"num_labels": 1, **MODERNBERT, **changes}, "config.json")


def test_the_words_of_newer_configurations() -> None:
    """What older files say in numbers, newer ones say for each kind of layer."""
    from edge_rerank_export.families import read_layout

    older = {"num_labels": 1, **MODERNBERT, "global_attn_every_n_layers": 2}
    older["global_rope_theta"] = 160000.0
    newer = {name: value for name, value in older.items() if not name.startswith("global")}
    kinds = ["full_attention", "sliding_attention"]
    newer["layer_types"] = kinds * 2
    newer["rope_parameters"] = {
        kind: {"rope_type": "default", "rope_theta": base}
        for kind, base in zip(kinds, (160000.0, 10000.0), strict=True)
    }
    layout = read_layout(newer, "config.json")
    assert layout.architecture == read_layout(older, "config.json").architecture
    assert layout.settings["global_attn_every_n_layers"] == 2
    for config in (older, newer):
        assert not list(conflicts(config, layout.architecture))
    newer["rope_parameters"]["full_attention"]["rope_theta"] = 10.0
    newer["layer_types"] = [kinds[0], kinds[1], kinds[1], kinds[0]]
    changed = read_layout(newer, "config.json").architecture
    assert len(list(conflicts(older, changed))) == 2
    assert len(list(conflicts(newer, layout.architecture))) == 2
