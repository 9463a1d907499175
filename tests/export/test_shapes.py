"""Published shapes beyond the small ones, with random weights: torch, both engines, all kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.native_library import load_library
from tests.support.quick_artifacts import RandomModel, batch, random_model, random_pairs

_BERT: dict[str, Any] = {
    "model_type": "bert", "vocab_size": 30_522, "hidden_size": 384, "num_hidden_layers": 12,
    "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512,
    "type_vocab_size": 2, "pad_token_id": 0,
}  # fmt: skip
_XLM_ROBERTA = _BERT | {
    "model_type": "xlm-roberta", "vocab_size": 250_002, "max_position_embeddings": 514,
    "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5,
}  # fmt: skip
# v2-m3's width, heads and positions, and as many of its 24 layers as a test can wait for.
_M3 = _XLM_ROBERTA | {
    "hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096,
    "num_hidden_layers": 2, "max_position_embeddings": 8194, "vocab_size": 1000,
}  # fmt: skip

_BASE = {"hidden_size": 768, "intermediate_size": 3072}
_LARGE = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
    "num_attention_heads": 16,
}  # fmt: skip
_MDEBERTA = {
    "model_type": "deberta-v2", "vocab_size": 251_000, "num_hidden_layers": 12,
    "num_attention_heads": 12, "max_position_embeddings": 512, "relative_attention": True,
    "position_buckets": 256, "max_relative_positions": -1, "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True, "norm_rel_ebd": "layer_norm", "position_biased_input": False,
    "type_vocab_size": 0, "pad_token_id": 0, **_BASE,
}  # fmt: skip

SHAPES = {
    "MiniLM-L12": _BERT,
    "BERT base": _BERT | _BASE,
    "mMiniLMv2-L12": _XLM_ROBERTA,
    "bge-reranker-base": _XLM_ROBERTA | _BASE,
    "mDeBERTa-v3-base": _MDEBERTA,
    "bge-reranker-large": _XLM_ROBERTA | _LARGE,
    "mxbai-rerank-large-v1": _MDEBERTA | _LARGE | {"vocab_size": 128_100},
}
ASKED = "EDGE_RERANK_TEST_WHOLE_SHAPES"
"""Set to 1, wide ones have all their layers and words, which takes minutes and 12 GB of memory."""
ALL_WORDS = "bge-reranker-base"
"""What has all its words in any case: a table of 192 million numbers."""
LENGTHS = [4, 17, 64, 130, 333, 512, 33, 90, 201]
FEW = 3
"""Pairs that every kernel scores."""


@pytest.fixture(scope="module", params=list(SHAPES))
def model(request: pytest.FixtureRequest) -> RandomModel:
    shape = SHAPES[request.param]
    if shape["hidden_size"] >= 768 and os.environ.get(ASKED) != "1":
        shape = shape | {"num_hidden_layers": 3}
        if request.param != ALL_WORDS:
            shape = shape | {"vocab_size": 1000}
    return random_model(shape)


def logits(folder: Path, rows: Any, engine: Any, kernel: Any = None) -> Any:
    # The tiny tokenizer starts a pair with the id that is XLM-RoBERTa's padding, which torch skips:
    # the stored probes say nothing here.
    options: Any = {"engine": engine, "kernel": kernel, "verify": False, "self_check": False}
    with Reranker.load(folder, **options) as reranker:
        return reranker._parts()[1].logits(rows)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_published_shape(
    precision: str, model: RandomModel, tokenizer_file: Path, tmp_path: Path
) -> None:
    rows = random_pairs(LENGTHS, model.layout.architecture.vocab_size)
    expected = model.logits(rows)
    folder = model.write(tmp_path / "model", tokenizer_file, precision=precision)
    native = logits(folder, batch(rows), "native")
    for found in (native, logits(folder, batch(rows), "onnxruntime")):
        if precision == "fp32":
            np.testing.assert_allclose(found, expected, atol=1e-3)
        else:
            # Rounded to the nearest, without calibration. In logits, not in sigma: all pairs have
            # nearly the same logit by so many layers of random weights.
            limit = 0.1 if model.layout.architecture.layers <= 12 else 0.2
            assert np.sqrt(np.mean((found - expected) ** 2)) < limit
    for kernel in load_library().kernels[1:-1]:  # the last is scalar, and slow
        found = logits(folder, batch(rows[:FEW]), "native", kernel)
        np.testing.assert_array_equal(found, native[:FEW], kernel)


MEMORY = """
import re, sys
from pathlib import Path
from edge_rerank import Reranker
from tests.support.quick_artifacts import batch, random_pairs
folder, engine, lengths = sys.argv[1], sys.argv[2], [int(length) for length in sys.argv[3:]]
with Reranker.load(folder, engine=engine, verify=False, self_check=False) as reranker:
    found = reranker._parts()[1].logits(batch(random_pairs(lengths, 1000)))
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(int(peak[1]) // 1024, *map(float, found))
"""


def in_a_process(folder: Path, engine: str, lengths: list[int]) -> tuple[int, Any]:
    """Return the peak memory of a process in MB, and the logits that it computes."""
    words = [sys.executable, "-c", MEMORY, str(folder), engine, *map(str, lengths)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    peak, *found = done.stdout.split()
    return int(peak), np.array(found, np.float32)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_8192_tokens(precision: str, tokenizer_file: Path, tmp_path: Path) -> None:
    """Of v2-m3's width; no table of all queries and keys is ever in memory."""
    lengths = [8192, 5, 1500]
    model = random_model(_M3)
    expected = model.logits(random_pairs(lengths, 1000))
    folder = model.write(tmp_path / "model", tokenizer_file, precision=precision)
    peak, found = in_a_process(folder, "native", lengths)
    np.testing.assert_allclose(found, expected, atol=1e-3 if precision == "fp32" else 0.3)
    assert peak < 700
