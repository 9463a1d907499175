"""Heads that sentence-transformers keeps as modules: read as it reads them, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank.artifact.folder import load_artifact
from edge_rerank.pairs import TokenizedBatch
from tests.conftest import VOCABULARY
from tests.export.conftest import MODERNBERT, VARIANTS, Make
from tests.export.test_bert import export, logits
from tests.export.test_modernbert import random_batch

Modules = list[tuple[str, dict[str, Any]]]
Change = Callable[[Path], None]

_WITHIN = {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"}


def dense(inputs: int, outputs: int, activation: str, *, bias: bool = True) -> tuple[str, Any]:
    last = {"module_output_name": "scores"} if outputs == 1 else {}
    members = {"in_features": inputs, "out_features": outputs, "bias": bias, **_WITHIN, **last}
    return "Dense", members | {"activation_function": f"torch.nn.modules.activation.{activation}"}


def norm(size: int) -> tuple[str, Any]:
    return "LayerNorm", {"dimension": size}


CLS = ("Pooling", {"embedding_dimension": 64, "pooling_mode": "cls", "include_prompt": True})
OLD_MEAN = ("Pooling", {"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True})
ETTIN: Modules = [CLS, dense(64, 64, "GELU", bias=False), norm(64), dense(64, 1, "Identity")]
HEADS: dict[str, tuple[dict[str, Any], Modules]] = {
    "as ettin's": (MODERNBERT, ETTIN),
    "mean, two products": (
        MODERNBERT,
        [
            OLD_MEAN,
            norm(64),
            dense(64, 96, "Tanh"),
            dense(96, 32, "ReLU", bias=False),
            dense(32, 1, "Identity", bias=False),
        ],
    ),
    "nothing between": (MODERNBERT, [CLS, dense(64, 1, "Identity")]),
    "behind BERT": (VARIANTS["bert"], ETTIN),
    "behind XLM-RoBERTa": (VARIANTS["xlm-roberta"], [OLD_MEAN, dense(64, 1, "Identity")]),
}


def write_modules(folder: Path, encoder: Any, modules: Modules) -> Path:
    """Save an encoder and random modules as sentence-transformers 5 does."""
    import torch
    from safetensors.torch import save_file

    encoder.save_pretrained(folder)
    entries = [("", "sentence_transformers.base.modules.transformer.Transformer")]
    for number, (kind, members) in enumerate(modules, 1):
        place = folder / f"{number}_{kind}"
        place.mkdir()
        (place / "config.json").write_text(json.dumps(members))
        entries.append((place.name, f"sentence_transformers.models.{kind}"))
        if kind == "Dense":
            inputs, outputs = members["in_features"], members["out_features"]
            weights = {"linear.weight": torch.randn(outputs, inputs) * inputs**-0.5}
            if members["bias"]:
                weights["linear.bias"] = torch.randn(outputs) * 0.1
        elif kind == "LayerNorm":
            size = members["dimension"]
            weights = {"norm.weight": torch.rand(size) + 0.5, "norm.bias": torch.randn(size)}
        else:
            continue
        save_file(weights, place / "model.safetensors")
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": kind}
        for number, (path, kind) in enumerate(entries)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps({"model_type": "CrossEncoder", "activation_fn": "torch.nn.Identity"})
    )
    texts = {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings"}
    (folder / "sentence_bert_config.json").write_text(json.dumps(texts))
    return folder


@pytest.fixture
def ettin(make_checkpoint: Make) -> Path:
    return checkpoint(make_checkpoint, *HEADS["as ettin's"])


def checkpoint(make: Make, config: dict[str, Any], modules: Modules) -> Path:
    from transformers import AutoModel

    folder = make(config)
    encoder = AutoModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    return write_modules(folder, encoder, modules)


def from_torch(folder: Path, modules: Modules, batch: TokenizedBatch) -> Any:
    """Compute logits from the folder's files, in torch's own words."""
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional
    from transformers import AutoModel

    encoder = AutoModel.from_pretrained(folder).eval()
    results = []
    for index in range(len(batch)):
        ids = torch.from_numpy(batch.ids_of(index).astype(np.int64))[None]
        inputs = {"input_ids": ids}
        if encoder.config.model_type == "bert":
            types = torch.arange(ids.shape[1]) >= int(batch.first_segments[index])
            inputs["token_type_ids"] = types.long()[None]
        with torch.no_grad():
            states = encoder(**inputs).last_hidden_state
            first = "cls" in str(modules[0])
            x = states[:, 0] if first else states.mean(1)
            for number, (kind, members) in enumerate(modules[1:], 2):
                weights = load_file(folder / f"{number}_{kind}" / "model.safetensors")
                if kind == "LayerNorm":
                    x = functional.layer_norm(
                        x, x.shape[1:], weights["norm.weight"], weights["norm.bias"]
                    )
                    continue
                x = functional.linear(x, weights["linear.weight"], weights.get("linear.bias"))
                name = members["activation_function"].rpartition(".")[2]
                x = getattr(torch.nn, name)()(x)
        results.append(x.item())
    return np.array(results, np.float32)


@pytest.mark.parametrize("head", HEADS)
def test_logits_are_torch_s(head: str, make_checkpoint: Make, tmp_path: Path) -> None:
    config, modules = HEADS[head]
    folder = checkpoint(make_checkpoint, config, modules)
    batch = random_batch((1, 2, 3, 17, 64, 65, 66, 90), VOCABULARY)
    expected = from_torch(folder, modules, batch)
    artifact = export(folder, tmp_path / "model", precision="fp32")
    manifest = load_artifact(artifact).manifest
    assert manifest.activation == "identity"
    for engine in ("native", "onnxruntime"):
        np.testing.assert_allclose(logits(artifact, batch, engine), expected, atol=1e-4)


def member(place: str, **members: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / place / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | members))

    return change


def module(number: int, **members: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / "modules.json"
        entries = json.loads(path.read_text())
        entries[number] |= members
        path.write_text(json.dumps(entries))

    return change


def cut(number: int) -> Change:
    def change(folder: Path) -> None:
        path = folder / "modules.json"
        entries = json.loads(path.read_text())
        path.write_text(json.dumps(entries[:number] + entries[number + 1 :]))

    return change


def without(name: str, other: str | None = None) -> Change:
    def change(folder: Path) -> None:
        if other:
            (folder / name).rename((folder / name).with_name(other))
        else:
            (folder / name).unlink()

    return change


_NORMALIZE = "sentence_transformers.models.Normalize"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (module(3, type=_NORMALIZE), "a module is .*Normalize'; known are Transformer, Pooling, D"),
        (module(2, type="mine.Dense"), "a module is 'mine.Dense'; known are Transformer"),
        (module(2, path="../2_Dense"), r"the Dense lies in '\.\./2_Dense'; expected"),
        (module(2, path="/2_Dense"), "the Dense lies in '/2_Dense'; expected"),
        (module(0, path="0_Transformer"), "the Transformer lies in '0_Transformer'; expected"),
        (cut(1), "consists of Transformer, Dense, LayerNorm, Dense; .* followed by Pooling"),
        (cut(4), "consists of Transformer, Pooling, Dense, LayerNorm; edge-rerank exports"),
        (member("1_Pooling", pooling_mode="max"), "pooling_mode is 'max'; known are cls, mean"),
        (member("1_Pooling", pooling_mode=["cls", "mean"]), r"pooling_mode is \['cls', 'mean'\]"),
        (member("1_Pooling", include_prompt=False), "include_prompt is False; known is true"),
        (member("1_Pooling", embedding_dimension=32), "in_features is 64; what it reads is 32 wi"),
        (
            member("2_Dense", activation_function="torch.nn.SiLU"),
            "activation_function is 'torch.nn.SiLU'; known are torch.nn.GELU, torch.nn.ReLU",
        ),
        (
            member("4_Dense", activation_function="torch.nn.modules.activation.Sigmoid"),
            "Sigmoid'; known are torch.nn.Identity; of the last module",
        ),
        (member("2_Dense", module_input_name="token_embeddings"), "module_input_name is 'token_e"),
        (member("2_Dense", module_output_name="scores"), "module_output_name is 'scores'; known"),
        (member("2_Dense", gated=True), "gated is True; edge-rerank does not know it"),
        (member("3_LayerNorm", dimension=32), "dimension is 32; what it reads is 64 wide"),
        (member("4_Dense", out_features=2), "out_features is 2; a reranker gives one logit"),
        (without("2_Dense/config.json"), "2_Dense/config.json: is missing; copy the checkpoint"),
        (without("2_Dense/model.safetensors"), "2_Dense: has neither model.safetensors"),
        (
            without("2_Dense/model.safetensors", "pytorch_model.bin"),
            r"2_Dense: the weights are pickled \(pytorch_model.bin\)",
        ),
    ],
)
def test_modules_that_are_refused(change: Change, message: str, ettin: Path) -> None:
    """Before any work: with all that is known, where something is not."""
    from edge_rerank_export import CheckpointError
    from edge_rerank_export.checkpoint import open_checkpoint

    change(ettin)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(ettin)


def test_the_checksum_covers_the_modules_weights(ettin: Path) -> None:
    from edge_rerank_export.checkpoint import open_checkpoint

    before = open_checkpoint(ettin).sha256()
    path = ettin / "4_Dense" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert open_checkpoint(ettin).sha256() != before
