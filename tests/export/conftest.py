"""Small random checkpoints of every shape in the family."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_rerank.engines.onnx.runtime import disable_telemetry
from tests.conftest import VOCABULARY, word_tokenizer

disable_telemetry()
pytest.importorskip("torch")
pytest.importorskip("optimum.onnxruntime")

TINY: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 96,
    "relative_attention": True,
    "position_buckets": 16,
    "max_relative_positions": -1,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "type_vocab_size": 0,
}

_BERT: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,  # of 32, as in the MiniLMs
    "intermediate_size": 128,
    "max_position_embeddings": 96,
    "type_vocab_size": 2,
    "pad_token_id": 0,
}
# One row of positions is the padding's.
_ROBERTA = _BERT | {"max_position_embeddings": 97, "type_vocab_size": 1}

MODERNBERT: dict[str, Any] = {
    "model_type": "modernbert",
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 320,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cls_token_id": 1,
    "sep_token_id": 2,
}

VARIANTS: dict[str, dict[str, Any]] = {
    "xsmall-like": {},
    "wide-heads": {"num_attention_heads": 2},
    "one-head": {"num_attention_heads": 1},
    "c2p": {"pos_att_type": ["c2p"]},
    "p2c": {"pos_att_type": ["p2c"]},
    "terms-as-text": {"pos_att_type": "c2p|p2c"},
    "no-terms": {"pos_att_type": []},
    "no-relative": {"relative_attention": False, "position_biased_input": True},
    "own-projections": {"share_att_key": False},
    "own-projections-c2p": {"share_att_key": False, "pos_att_type": ["c2p"]},
    "no-buckets": {"position_buckets": -1},
    "short-range": {"position_buckets": -1, "max_relative_positions": 20},
    "odd-buckets": {"position_buckets": 24, "max_relative_positions": 40},
    "plain-table": {"norm_rel_ebd": "none"},
    "positions": {"position_biased_input": True},
    "types": {"type_vocab_size": 2},
    "positions-and-types": {"position_biased_input": True, "type_vocab_size": 2},
    "narrow-embedding": {"embedding_size": 32, "position_biased_input": True},
    "relu": {"hidden_act": "relu", "pooler_hidden_act": "tanh"},
    "gelu-new": {"hidden_act": "gelu_new", "pooler_hidden_act": "relu"},
    "one-layer": {"num_hidden_layers": 1},
    "bert": _BERT,
    "bert-heads-of-64": _BERT | {"num_attention_heads": 1, "num_hidden_layers": 1},
    "bert-heads-of-16": _BERT | {"num_attention_heads": 4, "hidden_act": "relu"},
    "bert-gelu-new": _BERT | {"hidden_act": "gelu_new", "layer_norm_eps": 1e-5},
    "roberta": _ROBERTA | {"model_type": "roberta"},
    "modernbert": MODERNBERT | {"local_attention": 16, "num_hidden_layers": 3},
    "modernbert-mean": MODERNBERT | {"classifier_pooling": "mean", "num_hidden_layers": 2},
    "xlm-roberta": _ROBERTA | {"model_type": "xlm-roberta", "layer_norm_eps": 1e-5},
}

Make = Callable[..., Path]


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    word_tokenizer().save(str(path))
    return path


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Make:
    """Return a function that writes a tiny checkpoint, with changes to its configuration."""
    from edge_rerank_bench.random_checkpoint import write_random_checkpoint

    def make(changes: dict[str, Any] | None = None, **options: Any) -> Path:
        folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
        folder.mkdir()
        changes = changes or {}
        config = changes if "model_type" in changes else TINY | changes
        return write_random_checkpoint(folder, tokenizer_file, config, **options)

    return make


@pytest.fixture(scope="session")
def few_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a calibration file of a few pairs, some of them longer than the window."""
    path = tmp_path_factory.mktemp("calibration") / "pairs.jsonl"
    pairs = [
        {"query": f"how do {word} eat", "document": f"plants make {word} from light " * (1 + 5 * n)}
        for n, word in enumerate(["sugar", "water", "plants", "light"] * 4)
    ]
    path.write_text("\n".join(map(json.dumps, pairs)))
    return path
