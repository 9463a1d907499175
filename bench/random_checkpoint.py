"""Checkpoints of any shape with random weights: for speed, where the values do not matter."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

XSMALL: dict[str, Any] = {
    "vocab_size": 128100,
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
    "relative_attention": True,
    "position_buckets": 256,
    "max_relative_positions": -1,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "type_vocab_size": 0,
}
"""The configuration of mixedbread-ai/mxbai-rerank-xsmall-v1, as far as it decides the shape."""


def write_random_checkpoint(
    folder: Path,
    tokenizer: Path,
    config: dict[str, Any] = XSMALL,
    *,
    seed: int = 0,
    dtype: str = "float32",
    max_shard_size: str = "5GB",
) -> Path:
    """Write a Hugging Face checkpoint with random weights and a copy of ``tokenizer``.

    The weights keep the size of what they are multiplied with, unlike transformers' own much
    smaller ones: attention is not flat then, and logits differ from pair to pair.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(seed)
    spread = float(config["hidden_size"]) ** -0.5
    members = {"model_type": "deberta-v2", "num_labels": 1, "initializer_range": spread, **config}
    settings = AutoConfig.for_model(**members)
    model: Any = AutoModelForSequenceClassification.from_config(settings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0.0, 0.1)
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=max_shard_size)
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    return folder
