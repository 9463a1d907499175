"""Heads of two logits: their difference is the logit, if the user says which means relevant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.cli import main
from tests.export.conftest import _BERT, _ROBERTA, TINY, Make

PAIRS = [("how do plants eat", text) for text in ("plants eat light", "steel bridge", "water")]
NAMED = {"id2label": {"0": "no", "1": "yes"}, "label2id": {"no": 0, "yes": 1}}
FAMILIES = {
    "deberta-v2": TINY,
    "bert": _BERT,
    "xlm-roberta": _ROBERTA | {"model_type": "xlm-roberta"},
}


def two(make: Make, family: str = "deberta-v2", **members: Any) -> Path:
    folder = make({"model_type": family, **FAMILIES[family], "num_labels": 2})
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | NAMED | members))
    return folder


def both(folder: Path, tokens: Any) -> Any:
    """Return both logits of each pair, as transformers gives them."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model: Any = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    typed = model.config.type_vocab_size > 1
    found = []
    for index in range(len(tokens)):
        ids = torch.tensor(tokens.ids_of(index).astype(np.int64))[None]
        types = (torch.arange(ids.shape[1]) >= int(tokens.first_segments[index])).long()[None]
        extra = {"token_type_ids": types} if typed else {}
        with torch.no_grad():
            found.append(model(input_ids=ids, **extra).logits[0].numpy())
    return np.stack(found)


@pytest.mark.parametrize(
    ("family", "precision", "label", "sign"),
    [
        ("deberta-v2", "fp32", "0", -1),
        ("bert", "int8", "yes", 1),
        ("bert", "fp32", "1", 1),
        ("xlm-roberta", "int8", "no", -1),
    ],
)
def test_the_logit_is_the_difference(
    family: str, precision: str, label: str, sign: int, make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export import ExportOptions, export_model

    folder = two(make_checkpoint, family)
    near = 1e-3 if precision == "fp32" else 0.3
    options = ExportOptions(
        precision=precision, relevant_label=label, allow_poor_parity=precision == "int8"
    )
    report = export_model(str(folder), tmp_path / "model", options, report=lambda line: None)
    manifest, name = report.manifest, "yes" if sign == 1 else "no"
    assert (manifest.relevant_label, manifest.activation) == (name, "sigmoid")
    for engine in ("native", "onnxruntime"):
        with Reranker.load(report.path, engine=engine) as reranker:
            logits = both(folder, reranker._parts()[0].encode(PAIRS)).astype(float)
            expected = sign * (logits[:, 1] - logits[:, 0])
            found = reranker.predict(PAIRS, scores="logits")
            np.testing.assert_allclose(found, expected, atol=near)
            softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            relevant = softmax[:, 1 if sign == 1 else 0]
            np.testing.assert_allclose(reranker.predict(PAIRS), relevant, atol=near)


REFUSED: list[tuple[dict[str, Any], str | None, str]] = [
    ({}, None, "2 logits, no and yes.*--relevant-label yes, or --relevant-label no"),
    ({}, "maybe", "has no label maybe; expected .*--relevant-label yes"),
    ({}, "2", "has no label 2"),
    ({"num_labels": 1, "id2label": {"0": "x"}}, "x", "gives one logit, and --relevant-label x"),
    ({"num_labels": 3}, "yes", "the head gives 3 logits"),
    ({"num_labels": 0}, None, "the head gives 0 logits"),
    ({"num_labels": "two"}, None, "num_labels is 'two'"),
    ({"id2label": ["no", "yes"]}, None, "id2label"),
]


@pytest.mark.parametrize(("changes", "label", "message"), REFUSED)
def test_heads_and_labels_that_are_refused(
    changes: dict[str, Any], label: str | None, message: str
) -> None:
    from edge_rerank_export import CheckpointError
    from edge_rerank_export.families import read_layout

    members = {"model_type": "bert", **_BERT, "num_labels": 2, **NAMED, **changes}
    with pytest.raises(CheckpointError, match=message):
        read_layout(members, "config.json", relevant_label=label)


def test_a_default_configuration_has_two_labels() -> None:
    from edge_rerank_export.families import read_layout

    members = {"model_type": "bert", **_BERT}
    assert read_layout(members, "config.json", relevant_label="LABEL_1").relevant == 1
    assert read_layout(members, "config.json", relevant_label="0").relevant == 0
    assert read_layout(members | {"num_labels": 1}, "config.json").relevant is None


@pytest.mark.parametrize(
    ("stated", "chosen", "expected"),
    [
        (None, None, "sigmoid"),
        ("torch.nn.modules.linear.Identity", None, "sigmoid"),
        ("torch.nn.modules.linear.Identity", "identity", "identity"),
        ("torch.nn.modules.activation.Sigmoid", "sigmoid", "sigmoid"),
        ("torch.nn.modules.activation.Sigmoid", None, None),
        ("torch.nn.modules.activation.Tanh", None, None),
    ],
)
def test_activations_of_two_logits(
    stated: str | None, chosen: str | None, expected: str | None, tmp_path: Path
) -> None:
    from edge_rerank_export import CheckpointError
    from edge_rerank_export.scoring import read_scoring

    config = {} if stated is None else {"sentence_transformers": {"activation_fn": stated}}
    scoring = read_scoring(tmp_path, config)
    if expected is None:
        with pytest.raises(CheckpointError, match=r"of each of the two logits.*--activation"):
            scoring.activation(chosen, two_logits=True)
    else:
        assert scoring.activation(chosen, two_logits=True) == expected


def test_the_command_asks_for_the_label_before_any_work(
    make_checkpoint: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = two(make_checkpoint), tmp_path / "model"
    assert main(["export", str(folder), "--output", str(output)]) == 1
    printed = capsys.readouterr().err
    assert "--relevant-label yes" in printed
    assert "loading the model" not in printed
    command = ["export", str(folder), "--output", str(output), "--precision", "fp32"]
    assert main([*command, "--relevant-label", "yes"]) == 0
    assert main(["info", str(output)]) == 0
    assert "sigmoid, the logit being that of yes less" in capsys.readouterr().out
