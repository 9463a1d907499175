"""Checkpoints of other families' shapes: small ones, so that they can be made in a test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_rerank_bench import families
from edge_rerank_bench.families import SHAPES, write_family_checkpoint
from edge_rerank_bench.run.texts import texts_of

SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20000}


@pytest.mark.parametrize("name", ["bge-base", "ettin-17m"])
def test_a_checkpoint_that_every_library_loads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    sentence = "Plants eat light and water in the rivers of the world, as they always did."
    texts = texts_of(dict.fromkeys("abc", f"{sentence} " * 9))
    monkeypatch.setattr(families, "python_topics", lambda: texts)
    shape = SHAPES[name]
    small = replace(shape, config={**shape.config, **SMALL, "intermediate_size": 16})
    monkeypatch.setitem(SHAPES, name, small)
    folder = write_family_checkpoint(name, tmp_path / "made", print)
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    config = json.loads((folder / "config.json").read_text("utf-8"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert tokenizer.pad_token_id == config["pad_token_id"]
    inputs: Any = tokenizer([("plants", "light"), ("a", "")], padding=True, return_tensors="pt")
    assert set(inputs) == set(shape.inputs)
    row = inputs["input_ids"][0].tolist()
    separators = [tokenizer.sep_token_id] * (2 if name == "bge-base" else 1)
    assert row[0] == tokenizer.cls_token_id
    assert row[-1] == tokenizer.sep_token_id
    assert row.count(tokenizer.sep_token_id) == len(separators) + 1
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.inference_mode():
        logits = model(**inputs).logits
    assert logits.shape == (2, 1)
    assert len(set(logits.reshape(-1).tolist())) == 2


def test_the_shapes_are_the_published_ones() -> None:
    assert [name for name, shape in SHAPES.items() if shape.real] == ["minilm-l6"]
    assert "random weights" in SHAPES["bge-base"].title
    sizes = {
        name: (shape.config["num_hidden_layers"], shape.config["hidden_size"])
        for name, shape in SHAPES.items()
    }
    assert sizes == {
        "minilm-l6": (6, 384), "bge-base": (12, 768), "ettin-17m": (7, 256), "ettin-32m": (10, 384),
    }  # fmt: skip
