"""Segment models with random weights: checkpoints as training writes them, and pairs for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import APART, VOCABULARY, word_tokenizer
from tests.support.batches import Row

SEGMENTS: dict[str, Any] = {
    "model_type": "segment-bert", "vocab_size": VOCABULARY, "hidden_size": 64,
    "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
    "max_position_embeddings": 300, "type_vocab_size": 2, "pad_token_id": 0,
    "initializer_range": 0.125,
}  # fmt: skip
START, END = 1, 2


def random_segment_model(config: dict[str, Any], layout: Any, seed: int = 0) -> Any:
    """Make a model in torch whose attention is not flat, and whose cosine counts."""
    import torch

    from edge_rerank_export.segments_reference import SegmentModel

    torch.manual_seed(seed)
    model = SegmentModel(config, layout).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0.0, 0.1)
        model.scale.fill_(4.0)
    return model


def write_segment_checkpoint(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    """Write a folder as ``training/segments.py`` does."""
    from safetensors.torch import save_file

    from edge_rerank_export.families import read_layout

    config = SEGMENTS | (changes or {})
    layout = read_layout(config, "config.json")
    weights = random_segment_model(config, layout).state_dict()
    folder.mkdir(parents=True)
    save_file(
        {layout.in_checkpoint(name): weights[name] for name in weights},
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text(json.dumps(config | {"architectures": None}))
    word_tokenizer(pair=APART).save(str(folder / "tokenizer.json"))
    return folder


def row_of(query: list[int], passage: list[int]) -> Row:
    """Return a pair of texts, each in special tokens of its own."""
    return Row((START, *query, END, START, *passage, END), len(query) + 2)


def random_rows(sizes: list[tuple[int, int]], seed: int = 1) -> list[Row]:
    """Return pairs of texts of so many tokens, special tokens left out."""
    rng = np.random.default_rng(seed)

    def ids(count: int) -> list[int]:
        return [int(token) for token in rng.integers(4, VOCABULARY, count)]

    return [row_of(ids(query), ids(passage)) for query, passage in sizes]
