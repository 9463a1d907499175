"""A small trained DeBERTa-v2 spread over the full xsmall shape: real outliers in minutes, offline.

Run: python -m edge_rerank_bench.widened OUTPUT [--tokenizer FILE]

Random weights hide what int8 costs: outliers come from training alone. quantized/mini-deberta has 6
layers, 12 heads of 32 and a vocabulary of its own; this gives it 12 layers of 6 heads of 64, and
another vocabulary where one is given. The result computes nearly the same as before.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank_export.mixing import mixed, unmix_rows
from edge_rerank_export.parameters import smooth_name
from edge_rerank_export.quantize import dequantize_parameters
from edge_rerank_training.warm_start import write_checkpoint

from .random_checkpoint import XSMALL

HEADS, HALF, WIDE = 6, 32, 64
"""Heads of a new layer; the size of an old and of a new head."""
ECHO = 0.2
"""Strength of the feed-forward copy in the layers that have none of their own to begin with."""
PRODUCTS = tuple(f"{part}.weight" for part in ("query", "key", "value", "ffn.up", "ffn.down"))

Source = dict[str, Tensor]


def main() -> None:
    """Parse the arguments and write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "--tokenizer", type=Path, help="DeBERTa-v3's tokenizer.json; default: the small model's"
    )
    options = parser.parse_args()
    write_widened(options.output, options.tokenizer)


def write_widened(folder: Path, tokenizer: Path | None = None, seed: int = 0) -> Path:
    """Write the small model in the xsmall shape as a checkpoint.

    Its vocabulary is that of ``tokenizer``, a Unigram ``tokenizer.json`` of as many words as the
    shape has, or stays the small model's.
    """
    own = small_deberta() / "tokenizer.json"
    content = json.loads((own if tokenizer is None else tokenizer).read_text("utf-8"))
    content["truncation"] = content["padding"] = None
    write_checkpoint(widened(None if tokenizer is None else content, seed), content, folder)
    return folder


@torch.no_grad()
def widened(tokenizer: dict[str, Any] | None, seed: int) -> DebertaV2ForSequenceClassification:
    """Return the small model in the xsmall shape, computing nearly the same as before.

    ``tokenizer`` is the content of a Unigram ``tokenizer.json`` of as many words as the shape
    has; without one the vocabulary stays the small model's.

    Layers 2k and 2k + 1 share old layer k: each has half of the heads, the second one has the
    feed-forward part, and the first one's norms pass on what they get.
    """
    torch.manual_seed(seed)
    source = small_tensors()
    silent = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    words = source["embeddings.word.weight"]
    table = words if tokenizer is None else word_table(tokenizer, words)
    shape = XSMALL | {"vocab_size": len(table)}
    config = DebertaV2Config(num_labels=1, pooler_hidden_act="gelu", **silent, **shape)
    model = DebertaV2ForSequenceClassification(config)
    deberta = model.deberta
    deberta.embeddings.word_embeddings.weight.copy_(table)
    _norm(deberta.embeddings.LayerNorm, source, "embeddings.norm")
    _relative(deberta.encoder, source)
    for layer in range(XSMALL["num_hidden_layers"]):
        _layer(deberta.encoder.layer[layer], source, layer)
    for part, name in ((model.pooler.dense, "pooler"), (model.classifier, "classifier")):
        part.weight.copy_(source[f"{name}.weight"])
        part.bias.copy_(source[f"{name}.bias"])
    return model


def small_deberta() -> Path:
    """Return the folder of the small model, which lies beside the built-in one in the repository.

    Raises FileNotFoundError where the package was installed from a wheel, which does not carry it.
    """
    folder = builtin_model().with_name("mini-deberta")
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is missing: this model is in the repository and in the source distribution, "
            "and not in a wheel: pip install -e . in a clone"
        )
    return folder


def small_tensors() -> Source:
    """Read the small model's tensors as float32, with smoothing and mixing undone."""
    from safetensors.numpy import load_file

    stored = dequantize_parameters(load_file(small_deberta() / "model.safetensors"))
    for name in [
        name.removesuffix(".weight")
        for name in stored
        if name.endswith(PRODUCTS) and ".relative." not in name
    ]:
        points = mixed(stored, name)
        if points > 1:
            stored[f"{name}.weight"] = unmix_rows(stored[f"{name}.weight"], points)
        vector = smooth_name(name)
        if vector is not None and vector in stored:
            stored[f"{name}.weight"] = stored[f"{name}.weight"] * stored[vector][:, None]
    return {name: torch.from_numpy(tensor) for name, tensor in stored.items()}


def word_table(tokenizer: dict[str, Any], table: Tensor) -> Tensor:
    """Return each word piece the mean of the old pieces of its text; [128100, hidden].

    A piece that begins no word is looked up as a continuation first.
    """
    old = Tokenizer.from_file(str(small_deberta() / "tokenizer.json"))
    rows = table.mean(0).repeat(XSMALL["vocab_size"], 1)
    pieces = [piece for piece, _ in tokenizer["model"]["vocab"]]
    texts = [piece.replace("▁", " ").strip() or "." for piece in pieces]
    for new, encoded in enumerate(old.encode_batch(texts, add_special_tokens=False)):
        tail = None if pieces[new].startswith("▁") else old.token_to_id(f"##{texts[new].lower()}")
        ids = [tail] if tail is not None else encoded.ids
        if ids:
            rows[new] = table[ids].mean(0)
    for entry in tokenizer["added_tokens"]:
        rows[entry["id"]] = table[old.token_to_id(entry["content"])]
    return rows


def _layer(target: Any, source: Source, layer: int) -> None:
    """Fill new layer ``layer``; see ``widened``."""
    name, second = f"layers.{layer // 2}", layer % 2
    chosen = slice(second * HEADS * HALF, (second + 1) * HEADS * HALF)
    mix: Tensor = torch.block_diag(*(_twofold() for _ in range(HEADS)))  # type: ignore[no-untyped-call]
    # [6 * 32, 6 * 64]
    attention = target.attention.self
    # The product of a query and a key is divided by the root of the head's size.
    gains = {"query": (WIDE / HALF) ** 0.5, "key": 1.0, "value": 1.0}
    for part, gain in gains.items():
        projection = getattr(attention, f"{part}_proj")
        weight = source[f"{name}.attention.{part}.weight"][:, chosen] @ mix * gain
        projection.weight.copy_(weight.T)
        projection.bias.copy_(source[f"{name}.attention.{part}.bias"][chosen] @ mix * gain)
    output = target.attention.output.dense
    output.weight.copy_((mix.T @ source[f"{name}.attention.output.weight"][chosen]).T)
    output.bias.copy_(source[f"{name}.attention.output.bias"] / 2)
    share = 1.0 if second else ECHO
    target.intermediate.dense.weight.copy_(source[f"{name}.ffn.up.weight"].T)
    target.intermediate.dense.bias.copy_(source[f"{name}.ffn.up.bias"])
    target.output.dense.weight.copy_(source[f"{name}.ffn.down.weight"].T * share)
    target.output.dense.bias.copy_(source[f"{name}.ffn.down.bias"] * share)
    norms = {"attention.norm": target.attention.output.LayerNorm}
    norms |= {"ffn.norm": target.output.LayerNorm}
    before = "embeddings.norm" if layer < 2 else f"layers.{layer // 2 - 1}.ffn.norm"
    for part, norm in norms.items():
        if second:
            _norm(norm, source, f"{name}.{part}")
        else:
            _pass_on(norm, source, before)


def _twofold() -> Tensor:
    """Return [32, 64] with orthonormal rows, so that products stay: every feature in two shares.

    A rotation would do as well, but spread the outliers that are to be kept.
    """
    angle = torch.rand(HALF) * (math.pi / 2)
    return torch.cat([angle.cos().diag(), angle.sin().diag()], 1)


def _norm(target: Any, source: Source, name: str) -> None:
    target.weight.copy_(source[f"{name}.weight"])
    target.bias.copy_(source[f"{name}.bias"])


def _pass_on(target: Any, source: Source, before: str) -> None:
    """Make a norm give back what the norm ``before`` gave: by that one's mean and spread."""
    weight, bias = source[f"{before}.weight"], source[f"{before}.bias"]
    target.weight.fill_(((weight**2).mean() + bias.var()).sqrt())
    target.bias.fill_(bias.mean())


def _relative(encoder: Any, source: Source) -> None:
    """Find the relative-position embeddings whose projections the old layers store.

    Every layer's tables are the same unknown rows times known weights: least squares.
    """
    weights, tables = [], []
    for name in (f"layers.{layer}" for layer in range(XSMALL["num_hidden_layers"] // 2)):
        for part in ("key", "query"):
            weights.append(source[f"{name}.attention.{part}.weight"])
            bias = source[f"{name}.attention.{part}.bias"]
            tables.append(source[f"{name}.relative.{part}.weight"] - bias)
    rows = torch.linalg.lstsq(torch.cat(weights, 1).T, torch.cat(tables, 1).T).solution.T
    encoder.rel_embeddings.weight.copy_(rows)
    encoder.LayerNorm.weight.fill_(rows.std(1).mean())
    encoder.LayerNorm.bias.fill_(rows.mean())


if __name__ == "__main__":
    main()
