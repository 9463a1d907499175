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
    (folder / file).write_text(json.dumps(content(folder, file) | members))
    return folder


def with_modules(folder: Path) -> Path:
    """Write what CrossEncoder writes, and without which it does not read the file MODEL."""
    module = {"idx": 0, "name": "0", "path": "", "type": f"{LIBRARY}.models.Transformer"}
    (folder / "modules.json").write_text(json.dumps([module]))
    write(folder, MODEL, **{"model_type": "CrossEncoder"} | content(folder, MODEL))
    return write(folder, TEXTS, transformer_task="sequence-classification")


def content(folder: Path, file: str) -> dict[str, Any]:
    path = folder / file
    return dict(json.loads(path.read_text())) if path.exists() else {}


def scoring(folder: Path) -> Any:
    from edge_rerank_export.config import read_config
    from edge_rerank_export.scoring import read_scoring

    return read_scoring(folder, read_config(folder))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    return with_modules(write(folder, "config.json", model_type="deberta-v2", num_labels=1))


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
        with_modules(folder)
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
    (MODEL, {"default_prompt_name": "q"}, "default_prompt_name is 'q'; .*no such.*known: none"),
    (MODEL, {"prompts": {"a": "b"}, "default_prompt_name": 1}, "default_prompt_name is 1; .*: a"),
    (MODEL, {"prompts": {"q": 7}}, "the prompt 'q' is 7; expected a text"),
    (MODEL, {"prompts": {"q": "a\0b"}}, "the prompt 'q' is .*without NUL"),
    (MODEL, {"prompts": ["find: "]}, "prompts is .*expected an object"),
    (MODEL, {"temperature": 2.0}, "temperature is 2.0; edge-rerank does not know it"),
    (TEXTS, {"do_lower_case": True}, "do_lower_case is True; .*normalizer"),
    (TEXTS, {"transformer_task": "text-generation"}, "transformer_task is 'text-generation'"),
    (TEXTS, {"modality_config": {"message": {}}}, "modality_config is"),
    (TEXTS, {"processing_kwargs": {"text": {"max_length": 9}}}, "processing_kwargs is"),
    (TEXTS, {"config_args": {"num_labels": 1}}, "config_args is"),
    (TEXTS, {"model_args": {"scale": 2}}, "scale is 2; edge-rerank does not know it"),
    ("modules.json", [{"type": "a.Transformer"}, {"type": "a.Dense"}], "a module is .a.Transf"),
    ("modules.json", [{"type": "a.CLIPModel"}], "a module is .a.CLIPModel.; known are Trans"),
    (MODEL, [], "holds list, expected dict"),
]


@pytest.mark.parametrize(("file", "members", "message"), REFUSED)
def test_what_would_change_scores_is_refused(
    file: str, members: Any, message: str, checkpoint: Path
) -> None:
    from edge_rerank_export import CheckpointError

    if isinstance(members, dict):
        write(checkpoint, file, **members)
    else:
        (checkpoint / file).write_text(json.dumps(members))
    with pytest.raises(CheckpointError, match=message):
        scoring(checkpoint)


def test_what_changes_nothing_is_let_pass(checkpoint: Path) -> None:
    write(checkpoint, MODEL, prompts={"q": "find: ", "none": ""}, default_prompt_name=None)
    write(checkpoint, MODEL, similarity_fn_name="cosine", unknown=None)
    write(checkpoint, TEXTS, max_seq_length=50, do_lower_case=False, unpad_inputs=True)
    write(checkpoint, TEXTS, model_args={"torch_dtype": "float16"}, processing_kwargs={})
    found = scoring(checkpoint)
    assert found.max_length == 50
    assert found.prompts == {"q": "find: "}
    assert found.default_prompt is None


def test_prompts_are_mentioned_and_lengths_kept(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import ExportOptions, export_model

    folder = with_modules(write(make_checkpoint(), MODEL, prompts={"query": "find: "}))
    write(folder, TEXTS, max_seq_length=40)
    lines: list[str] = []
    options = ExportOptions(precision="fp32", activation="tanh")
    manifest = export_model(str(folder), tmp_path / "m", options, report=lines.append).manifest
    assert (manifest.max_length, manifest.activation) == (40, "tanh")
    assert [line for line in lines if "prompts (query) are used on request alone" in line]


PROMPTS = {"query": "Represent this question: ", "web": "find  ", "none": "", "null": None}
CHOSEN: list[tuple[str | None, str | None, str]] = [
    # default_prompt_name, the choice at export, what is put before queries
    ("query", None, PROMPTS["query"] or ""),
    ("none", None, ""),
    ("null", None, ""),
    (None, None, ""),
    (None, "web", "find  "),
    ("query", "web", "find  "),
    ("query", "none", ""),
]


@pytest.mark.parametrize(("default", "chosen", "expected"), CHOSEN)
def test_the_prompt_before_queries(
    default: str | None, chosen: str | None, expected: str, checkpoint: Path
) -> None:
    write(checkpoint, MODEL, prompts=PROMPTS, default_prompt_name=default)
    assert scoring(checkpoint).prompt(chosen) == expected


def test_settings_without_modules_are_left_alone_as_cross_encoder_does(
    make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export import ExportOptions, export_model

    folder = write(make_checkpoint(), MODEL, prompts={"q": "heat "}, default_prompt_name="q")
    write(folder, MODEL, activation_fn=IDENTITY)
    lines: list[str] = []
    options = ExportOptions(precision="fp32")
    report = export_model(str(folder), tmp_path / "m", options, report=lines.append)
    assert (report.manifest.prompt, report.manifest.activation) == ("", "sigmoid")
    assert [line for line in lines if "is left alone, as sentence-transformers" in line]
    library = pytest.importorskip(LIBRARY)
    theirs = library.CrossEncoder(str(folder), device="cpu").predict(PAIRS)
    with Reranker.load(report.path) as reranker:
        np.testing.assert_allclose(reranker.predict(PAIRS), theirs, atol=1e-4)


def test_a_prompt_that_is_not_known_is_refused(checkpoint: Path) -> None:
    from edge_rerank_export import ExportError

    write(checkpoint, MODEL, prompts=PROMPTS)
    with pytest.raises(ExportError, match="prompt is 'document'; expected one of query, web, none"):
        scoring(checkpoint).prompt("document")


@pytest.mark.parametrize(("default", "chosen", "expected"), [CHOSEN[0], CHOSEN[5]])
def test_prompts_are_applied_as_cross_encoder_applies_them(
    default: str | None, chosen: str | None, expected: str, make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export import ExportOptions, export_model

    folder = with_modules(make_checkpoint())
    write(folder, MODEL, prompts=PROMPTS, default_prompt_name=default)
    options = ExportOptions(precision="fp32", prompt=chosen)
    report = export_model(str(folder), tmp_path / "m", options, report=lambda line: None)
    manifest = report.manifest
    assert manifest.prompt == expected
    assert manifest.prompts == {name: text for name, text in PROMPTS.items() if text}
    pairs = [*PAIRS, ("", "water"), ("heat", ""), (" of  the", "wing " * 80), ("a " * 90, "lift")]
    library = pytest.importorskip(LIBRARY)
    model = library.CrossEncoder(str(folder), device="cpu")
    theirs = model.predict(pairs, prompt_name=chosen)
    for engine in ("native", "onnxruntime"):
        for name in ("native", "tokenizers"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("EDGE_RERANK_TOKENIZER", name)
                with Reranker.load(report.path, engine=engine) as reranker:
                    assert reranker.describe().tokenizer == name
                    ranked = reranker.rank("heat", [text for _, text in pairs])
                    np.testing.assert_allclose(reranker.predict(pairs), theirs, atol=1e-4)
                    for one in ranked:
                        (alone,) = reranker.predict([("heat", pairs[one.index][1])])
                        assert one.score == alone


def test_artifacts_from_before_have_the_sigmoid(artifact_path: Path) -> None:
    from edge_rerank.artifact import Manifest
    from edge_rerank.errors import ManifestError

    written = json.loads((artifact_path / "manifest.json").read_text())
    old = {name: value for name, value in written.items() if name != "activation"}
    assert Manifest.from_json(old).activation == "sigmoid"
    assert Manifest.from_json(old | {"activation": "identity"}).activation == "identity"
    with pytest.raises(ManifestError, match="'activation' is 'relu'; expected one of sigmoid"):
        Manifest.from_json(old | {"activation": "relu"})


def test_artifacts_from_before_have_no_prompt(artifact_path: Path) -> None:
    from edge_rerank.artifact import Manifest
    from edge_rerank.errors import ManifestError

    written = json.loads((artifact_path / "manifest.json").read_text())
    new = ("prompt", "prompts", "relevant_label")
    old = Manifest.from_json({name: value for name, value in written.items() if name not in new})
    assert (old.prompt, old.prompts, old.relevant_label) == ("", {}, None)
    for wrong in (7, None, "a\0b"):
        with pytest.raises(ManifestError, match=r"'prompt' is .*expected a"):
            Manifest.from_json(written | {"prompt": wrong})
    with pytest.raises(ManifestError, match=r"'prompts'.*whose values are strings"):
        Manifest.from_json(written | {"prompts": {"q": 1}})
