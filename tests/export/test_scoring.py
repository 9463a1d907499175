"""Scores are those that sentence-transformers' CrossEncoder gives, or the export is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker
from tests.export.conftest import Make

PAIRS = [("how do plants eat", text) for text in ("plants eat light", "steel bridge", "water")]
LIBRARY = "sentence_transformers"
IDENTITY, TANH = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Tanh"
MODEL, TEXTS = "config_sentence_transformers.json", "sentence_bert_config.json"


def write(folder: Path, file: str, **members: Any) -> Path:
    path = folder / file
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | members))
    return folder


def scoring(folder: Path) -> Any:
    from edge_rerank_export.config import read_config
    from edge_rerank_export.scoring import read_scoring

    return read_scoring(folder, read_config(folder))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    return write(folder, "config.json", model_type="deberta-v2", num_labels=1)


STATED: list[tuple[str, dict[str, Any], str]] = [
    ("config.json", {}, "sigmoid"),
    ("config.json", {"sbert_ce_default_activation_function": IDENTITY}, "identity"),
    ("config.json", {"sbert_ce_default_activation_function": None}, "sigmoid"),
    ("config.json", {"sentence_transformers": {"activation_fn": TANH}}, "tanh"),
    ("config.json", {"sentence_transformers": {"version": "4.1.0"}}, "sigmoid"),
    (MODEL, {"model_type": "CrossEncoder", "activation_fn": IDENTITY}, "identity"),
    (MODEL, {"activation_fn": "torch.nn.Identity"}, "identity"),
    (MODEL, {"activation_fn": "torch.nn.modules.activation.Sigmoid"}, "sigmoid"),
    (MODEL, {"model_type": "SentenceTransformer", "activation_fn": IDENTITY}, "sigmoid"),
]


@pytest.mark.parametrize(("file", "members", "expected"), STATED)
def test_the_checkpoints_activation(
    file: str, members: dict[str, Any], expected: str, checkpoint: Path
) -> None:
    write(checkpoint, file, **members)
    assert scoring(checkpoint).activation(None) == expected
    assert scoring(checkpoint).activation("tanh") == "tanh"


@pytest.mark.parametrize(
    ("file", "members", "expected"),
    [STATED[1], STATED[3], STATED[5]],
)
def test_an_artifact_scores_as_cross_encoder_does(
    file: str, members: dict[str, Any], expected: str, make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export import ExportOptions, export_model
    from edge_rerank_export.checkpoint import open_checkpoint
    from edge_rerank_export.reference import TorchReference

    folder = write(make_checkpoint(), file, **members)
    if file == MODEL:  # as CrossEncoder saves itself
        module = {"idx": 0, "name": "0", "path": "", "type": f"{LIBRARY}.models.Transformer"}
        (folder / "modules.json").write_text(json.dumps([module]))
        write(folder, TEXTS, transformer_task="sequence-classification")
    options = ExportOptions(precision="fp32")
    path = export_model(str(folder), tmp_path / "m", options, report=lambda line: None).path
    with Reranker.load(path) as reranker:
        assert reranker.artifact.manifest.activation == expected
        found = reranker.predict(PAIRS)
        tokens = reranker._parts()[0].encode(PAIRS)
        logits = TorchReference(open_checkpoint(folder)).logits(tokens)
        by_hand = {
            "sigmoid": 1 / (1 + np.exp(-logits.astype(float))),
            "identity": logits,
            "tanh": np.tanh(logits.astype(float)),
        }
        np.testing.assert_allclose(found, by_hand[expected], atol=1e-4)
        ranked = reranker.rank(PAIRS[0][0], [text for _, text in PAIRS])
        assert [document.score for document in ranked] == sorted(found.tolist(), reverse=True)
        sigmoid = reranker.predict(PAIRS, scores="sigmoid")
        np.testing.assert_allclose(sigmoid, by_hand["sigmoid"], atol=1e-4)
        np.testing.assert_allclose(reranker.predict(PAIRS, scores="logits"), logits, atol=1e-4)
    library = pytest.importorskip(LIBRARY)
    cross_encoder = library.CrossEncoder(str(folder), device="cpu")
    np.testing.assert_allclose(found, cross_encoder.predict(PAIRS), atol=1e-4)


@pytest.mark.parametrize(
    ("file", "members", "message"),
    [
        (MODEL, {"activation_fn": "torch.nn.modules.activation.ReLU"}, "ReLU.*--activation sigm"),
        (MODEL, {"activation_fn": "mine.Identity"}, "mine.Identity.*known are torch.nn.Sigmoid"),
        (
            "config.json",
            {
                "sentence_transformers": {"activation_fn": TANH},
                "sbert_ce_default_activation_function": IDENTITY,
            },
            "contradict one another.*Tanh.*Identity.*--activation",
        ),
    ],
)
def test_other_activations_are_refused_unless_one_is_chosen(
    file: str, members: dict[str, Any], message: str, checkpoint: Path
) -> None:
    from edge_rerank_export import CheckpointError

    write(checkpoint, file, **members)
    with pytest.raises(CheckpointError, match=message):
        scoring(checkpoint).activation(None)
    assert scoring(checkpoint).activation("identity") == "identity"


REFUSED: list[tuple[str, Any, str]] = [
    (MODEL, {"prompts": {"q": "find: "}, "default_prompt_name": "q"}, "'q', the prompt 'find: '"),
    (MODEL, {"default_prompt_name": "q"}, "default_prompt_name is 'q', the prompt None"),
    (MODEL, {"temperature": 2.0}, "temperature is 2.0; edge-rerank does not know it"),
    (TEXTS, {"do_lower_case": True}, "do_lower_case is True; .*normalizer"),
    (TEXTS, {"transformer_task": "text-generation"}, "transformer_task is 'text-generation'"),
    (TEXTS, {"modality_config": {"message": {}}}, "modality_config is"),
    (TEXTS, {"processing_kwargs": {"text": {"max_length": 9}}}, "processing_kwargs is"),
    (TEXTS, {"config_args": {"num_labels": 1}}, "config_args is"),
    (TEXTS, {"model_args": {"scale": 2}}, "scale is 2; edge-rerank does not know it"),
    ("modules.json", [{"type": "a.Transformer"}, {"type": "a.Dense"}], "a.Transformer, a.Dense"),
    ("modules.json", [{"type": "a.CLIPModel"}], "consists of a.CLIPModel"),
    (MODEL, [], "holds list, expected dict"),
]


@pytest.mark.parametrize(("file", "content", "message"), REFUSED)
def test_what_would_change_scores_is_refused(
    file: str, content: Any, message: str, checkpoint: Path
) -> None:
    from edge_rerank_export import CheckpointError

    (checkpoint / file).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=message):
        scoring(checkpoint)


def test_what_changes_nothing_is_let_pass(checkpoint: Path) -> None:
    write(checkpoint, MODEL, prompts={"q": "find: ", "none": ""}, default_prompt_name=None)
    write(checkpoint, MODEL, similarity_fn_name="cosine", unknown=None)
    write(checkpoint, TEXTS, max_seq_length=50, do_lower_case=False, unpad_inputs=True)
    write(checkpoint, TEXTS, model_args={"torch_dtype": "float16"}, processing_kwargs={})
    found = scoring(checkpoint)
    assert found.max_length == 50
    assert found.prompts == ("q",)


def test_prompts_are_mentioned_and_lengths_kept(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import ExportOptions, export_model

    folder = write(make_checkpoint(), MODEL, prompts={"query": "find: "})
    write(folder, TEXTS, max_seq_length=40)
    lines: list[str] = []
    options = ExportOptions(precision="fp32", activation="tanh")
    manifest = export_model(str(folder), tmp_path / "m", options, report=lines.append).manifest
    assert (manifest.max_length, manifest.activation) == (40, "tanh")
    assert [line for line in lines if "prompts (query) are used on request alone" in line]


def test_artifacts_from_before_have_the_sigmoid(artifact_path: Path) -> None:
    from edge_rerank.artifact import Manifest
    from edge_rerank.errors import ManifestError

    written = json.loads((artifact_path / "manifest.json").read_text())
    old = {name: value for name, value in written.items() if name != "activation"}
    assert Manifest.from_json(old).activation == "sigmoid"
    assert Manifest.from_json(old | {"activation": "identity"}).activation == "identity"
    with pytest.raises(ManifestError, match="'activation' is 'relu'; expected one of sigmoid"):
        Manifest.from_json(old | {"activation": "relu"})
