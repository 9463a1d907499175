"""Exports from end to end, and everything that is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.artifact.folder import load_artifact, load_probes
from tests.export.conftest import VARIANTS, Make

LIBRARIES = {"torch", "transformers", "optimum", "onnx", "onnxruntime", "tokenizers", "numpy"}


def export(model: Path | str, output: Path, **options: Any) -> Any:
    from edge_rerank_export import ExportOptions, export_model

    lines: list[str] = []
    report = export_model(str(model), output, ExportOptions(**options), report=lines.append)
    stages = 6 if options.get("precision") == "fp32" else 7
    assert len(lines) == 2 * stages, "each stage says when it begins and when it is done"
    return report


@pytest.mark.parametrize(
    ("variant", "precision", "weights"),
    [
        ("xsmall-like", "int8", {}),
        ("xsmall-like", "fp32", {}),
        ("positions-and-types", "int8", {"dtype": "float16", "max_shard_size": "40KB"}),
        ("own-projections", "fp32", {"dtype": "bfloat16"}),
    ],
)
def test_an_export_ranks_as_the_checkpoint_does(
    variant: str, precision: str, weights: dict[str, Any], make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export.checkpoint import open_checkpoint
    from edge_rerank_export.reference import TorchReference

    folder = make_checkpoint(VARIANTS[variant], **weights)
    edit_config(folder, _name_or_path="/home/somebody/checkpoints/secret")
    if "max_shard_size" in weights:
        assert len(list(folder.glob("model-*.safetensors"))) > 1
    report = export(folder, tmp_path / "out" / "model", precision=precision)
    artifact = load_artifact(report.path)
    manifest = artifact.manifest
    assert manifest.precision == precision
    assert manifest.max_length == 96
    assert manifest.source.model == folder.name
    assert "somebody" not in (report.path / "config.json").read_text("utf-8")
    assert set(manifest.tools) >= LIBRARIES
    assert (manifest.quantization is None) == (precision == "fp32")
    assert report.fp32.max_error < 1e-4
    probes = load_probes(artifact)
    assert len(probes) == 34
    with Reranker.load(report.path) as reranker:
        logits = reranker.predict(
            [(probe.query, probe.document) for probe in probes], scores="logits"
        )
        tokens = reranker._parts()[0].encode([(probe.query, probe.document) for probe in probes])
    expected = TorchReference(open_checkpoint(folder)).logits(tokens)
    stored = np.array([probe.logit for probe in probes], np.float32)
    np.testing.assert_allclose(stored, expected, atol=1e-4)
    limit = 1e-4 if precision == "fp32" else 0.15 * expected.std()
    assert np.sqrt(((logits - expected) ** 2).mean()) < limit
    assert [file.name for file in report.path.parent.iterdir()] == ["model"]


def test_fp32_weights_are_stored_once(make_checkpoint: Make, tmp_path: Path) -> None:
    path = export(make_checkpoint(), tmp_path / "model", precision="fp32").path
    weights = (path / "model.safetensors").stat().st_size
    assert (path / "model.onnx").stat().st_size < 0.7 * weights


def test_shorter_pairs_on_request(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import ExportError

    report = export(make_checkpoint(), tmp_path / "model", max_length=32, name="n", license="MIT")
    assert (report.manifest.max_length, report.manifest.name) == (32, "n")
    assert report.manifest.license == "MIT"
    for wrong in (4, 97):
        with pytest.raises(ExportError, match=f"max_length is {wrong}; expected 8 to 96"):
            export(make_checkpoint(), tmp_path / "other", max_length=wrong)


def test_poor_parity_is_refused_unless_asked_for(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import ParityError

    folder = make_checkpoint()
    with pytest.raises(ParityError, match=r"rms error is 0\.\d+ .* limit is 1e-06.*--allow-poor"):
        export(folder, tmp_path / "model", max_error=1e-6)
    assert list(tmp_path.iterdir()) == []
    export(folder, tmp_path / "model", max_error=1e-6, allow_poor_parity=True)


def test_a_model_of_one_logit_is_refused_unless_asked_for(
    make_checkpoint: Make, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    from edge_rerank_export import ParityError

    folder = make_checkpoint()
    weights = load_file(str(folder / "model.safetensors"))
    weights["classifier.weight"][:] = 0
    save_file(weights, str(folder / "model.safetensors"))
    with pytest.raises(ParityError, match=r"all 34 probe pairs have the same logit, .*not trained"):
        export(folder, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
    export(folder, tmp_path / "model", allow_poor_parity=True)


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def spoil(folder: Path, how: str) -> None:
    weights = folder / "model.safetensors"
    if how == "no config":
        (folder / "config.json").unlink()
    elif how == "config is no JSON":
        (folder / "config.json").write_text("{")
    elif how == "other model":
        edit_config(folder, model_type="electra", architectures=["ElectraForMaskedLM"])
    elif how == "other head":
        edit_config(folder, architectures=["DebertaV2ForMaskedLM"])
    elif how == "two labels":
        edit_config(folder, id2label={"0": "no", "1": "yes"})
    elif how == "convolution":
        edit_config(folder, conv_kernel_size=3)
    elif how == "activation":
        edit_config(folder, hidden_act="swish")
    elif how == "size":
        edit_config(folder, hidden_size="64")
    elif how == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    elif how == "no weights":
        weights.unlink()
    elif how == "pickled":
        weights.rename(folder / "pytorch_model.bin")
    elif how == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "corrupt":
        weights.write_bytes(b"\xff" * 8 + weights.read_bytes()[8:])
    elif how == "empty":
        weights.write_bytes(b"")
    elif how == "missing shard":
        index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        weights.unlink()
    elif how == "no index":
        weights.rename(folder / "model-00001-of-00002.safetensors")
    elif how == "other name":
        weights.rename(folder / "model.fp16.safetensors")
    elif how == "adapter beside":
        (folder / "adapter_config.json").write_text("{}")
    elif how == "quantised":
        edit_config(folder, quantization_config={"quant_method": "bitsandbytes"})
    elif how == "empty index":
        (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')
        weights.unlink()
    elif how == "shard outside":
        index = {"weight_map": {"a": "../model.safetensors"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        weights.unlink()
    else:
        rewrite(weights, how)


def rewrite(weights: Path, how: str) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(str(weights))
    if how == "missing weight":
        del tensors["deberta.encoder.layer.1.output.dense.weight"]
    elif how == "no head":
        del tensors["pooler.dense.weight"], tensors["classifier.weight"]
    elif how == "encoder alone":
        tensors = {name.removeprefix("deberta."): tensor for name, tensor in tensors.items()}
    elif how in ("module.", "_orig_mod.", "model.", "base_model.model."):
        tensors = {how + name: tensor for name, tensor in tensors.items()}
    elif how == "compiled inside":
        tensors = {
            name.replace("deberta.", "deberta._orig_mod."): tensor
            for name, tensor in tensors.items()
        }
    elif how == "adapter inside":
        name = "deberta.encoder.layer.0.attention.self.query_proj"
        tensors[f"{name}.base_layer.weight"] = tensors.pop(f"{name}.weight")
    elif how == "int8 inside":
        name = "deberta.encoder.layer.0.output.dense.weight"
        tensors[name] = tensors[name].astype(np.int8)
    elif how == "no vocabulary":
        del tensors["deberta.embeddings.word_embeddings.weight"]
    elif how == "other shape":
        tensors["classifier.weight"] = np.zeros((1, 32), np.float32)
    elif how == "not finite":
        tensors["pooler.dense.bias"][3] = np.nan
    save_file(tensors, str(weights))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no config", "has no config.json"),
        ("config is no JSON", "cannot be read as JSON"),
        ("other model", r"ElectraForMaskedLM.*exports DebertaV2ForSequence.*XLMRobertaForSeq"),
        ("other head", "DebertaV2ForMaskedLM"),
        ("two labels", "head gives 2 logits, no and yes.*say which: --relevant-label yes"),
        ("convolution", "conv_kernel_size is 3"),
        ("activation", "hidden_act is 'swish'; known are gelu"),
        ("size", "hidden_size is '64'; expected a whole number"),
        ("no tokenizer", r"has neither tokenizer.json nor spm.model"),
        ("no weights", "no weights to export"),
        ("pickled", r"pickled \(pytorch_model.bin\).*Convert them to safetensors"),
        ("truncated", "not a sound safetensors file.*download or copy it again"),
        ("corrupt", "not a sound safetensors file"),
        ("empty", "not a sound safetensors file"),
        ("missing shard", "shard model-00001-of-00001.safetensors is missing"),
        ("no index", "model-00001-of-00002.safetensors and no model.safetensors.index.json"),
        ("other name", "model.fp16.safetensors, but no model.safetensors: rename it"),
        ("adapter beside", r"has an adapter .*merge_and_unload"),
        ("quantised", "has a quantization_config: .*quantised already"),
        ("empty index", "names no shards"),
        ("shard outside", "'../model.safetensors', which is not a file's name"),
        ("missing weight", "lack deberta.encoder.layer.1.output.dense.weight"),
        ("no head", "lack classifier.weight: the checkpoint has no classification head"),
        ("encoder alone", "those of an encoder alone"),
        ("module.", r"have module\.deberta.* in place of deberta.*model.module or model._orig_mod"),
        ("_orig_mod.", r"have _orig_mod\.deberta.* saved from a wrapper"),
        ("model.", r"have model\.deberta.* saved from a wrapper"),
        ("base_model.model.", r"have base_model\.model\.deberta.* saved from a wrapper"),
        ("compiled inside", r"have deberta\._orig_mod\..* saved from a wrapper"),
        ("adapter inside", "hold a LoRA adapter; merge it first"),
        ("int8 inside", "output.dense.weight is stored as int8: .*quantised already"),
        ("no vocabulary", "lack deberta.embeddings.word_embeddings.weight; .*incomplete"),
        ("other shape", r"classifier.weight has the shape \[1, 32\].*asks for \[1, 64\]"),
        ("not finite", "pooler.dense.bias holds values that are not finite"),
    ],
)
def test_a_bad_checkpoint_is_refused(
    how: str, message: str, make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export import CheckpointError

    folder = make_checkpoint()
    spoil(folder, how)
    with pytest.raises(CheckpointError, match=message):
        export(folder, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_left_alone(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import ExportError

    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ExportError, match="is not empty"):
        export(make_checkpoint(), tmp_path)
    with pytest.raises(ExportError, match="exists and is not a folder"):
        export(make_checkpoint(), tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "precious"


def test_missing_libraries_are_named_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_rerank_export import ExportError, pipeline

    monkeypatch.setattr(pipeline, "_LIBRARIES", ("json", "no_such_library"))
    with pytest.raises(ExportError, match=r"needs no_such_library; .*pip install .*\[export\]"):
        export("someone/else", tmp_path / "model")


def test_another_models_tokenizer_is_refused(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import ExportError

    with pytest.raises(ExportError, match="the model has 50 embeddings: the tokenizer"):
        export(make_checkpoint({"vocab_size": 50}), tmp_path / "model")


def test_names_and_tensors_that_transformers_takes_are_taken(
    make_checkpoint: Make, tmp_path: Path
) -> None:
    """TensorFlow's names of norms, a buffer and another head's weights give the same model."""
    from safetensors.numpy import load_file, save_file

    from edge_rerank_export.checkpoint import open_checkpoint
    from edge_rerank_export.weights import read_weights

    folder = make_checkpoint()
    weights = folder / "model.safetensors"
    expected = read_weights(open_checkpoint(folder).weight_files)
    before = export(folder, tmp_path / "before", precision="fp32").manifest.files
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = {}
    for name, tensor in load_file(str(weights)).items():
        for new, former in old.items():
            name = name.replace(new, former)
        tensors[name] = tensor
    assert any(name.endswith("LayerNorm.gamma") for name in tensors)
    tensors["deberta.embeddings.position_ids"] = np.arange(96)[None]
    tensors["cls.predictions.bias"] = np.zeros(160, np.float32)
    save_file(tensors, str(weights))
    found = read_weights(open_checkpoint(folder).weight_files)
    assert set(found) - set(expected) == {"cls.predictions.bias"}
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor)
    after = export(folder, tmp_path / "after", precision="fp32").manifest.files
    for name in ("model.safetensors", "probes.json"):
        assert after[name] == before[name]
