"""A tiny model whose logits can be worked out by hand, as an artifact, made on the spot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from edge_rerank.artifact.architecture import (
    Architecture,
    FeedForward,
    Head,
    Positions,
    RelativePositions,
)
from edge_rerank.artifact.folder import Probe, write_manifest, write_probes
from edge_rerank.artifact.manifest import Manifest, Source
from tests.support.folders import let_others_pass
from tests.support.tree import copy_tree

# A shared machine may be slow, and a failure must be the same on the next run.
settings.register_profile("edge-rerank", deadline=None, derandomize=True)
settings.load_profile("edge-rerank")

LEFT_OUT = ("build", "emulation", "slow")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which tests a plain ``pytest`` left out."""
    items = terminalreporter.stats.get("deselected", [])
    counts = {mark: sum(mark in item.keywords for item in items) for mark in LEFT_OUT}
    named = ", ".join(f"{count} {mark}" for mark, count in counts.items() if count)
    if named:
        terminalreporter.write_line(f"left out: {named}; pytest -m '' runs all, as .ci/run does")


WORDS = [
    *("plants", "eat", "light", "water", "steel", "bridge", "rivers", "flow", "wing", "lift"),
    *("heat", "layer", "boundary", "shock", "wave", "a", "the", "of", "and", "in", "how", "do"),
]
PROBES = [
    ("how do plants eat", "plants eat light"),
    ("how do plants eat", "steel bridge"),
    ("heat", "the heat of the boundary layer and the shock wave in the flow of water"),
    ("lift", ""),
    ("wing", "lift of a wing"),
]
VOCABULARY = 160
MAX_LENGTH = 96


def token_weights() -> NDArray[np.float32]:
    """Return what each token id adds to a logit: float32, different for each."""
    return np.random.default_rng(7).normal(size=VOCABULARY).astype(np.float32)


def expected_logit(ids: Sequence[int]) -> float:
    """Work out the tiny model's logit: a mean of token weights that grow with the position."""
    position = np.arange(1, len(ids) + 1)
    return float(np.mean(token_weights()[list(ids)].astype(np.float64) * (1 + 0.1 * position)))


TOGETHER, APART = "[CLS] $A [SEP] $B:1 [SEP]:1", "[CLS] $A [SEP] [CLS]:1 $B:1 [SEP]:1"
"""Templates of a pair: BERT's, and that of models which read its texts apart."""


def word_tokenizer(pair: str = TOGETHER) -> Any:
    """Make a WordPiece tokenizer of whole words, letters and digits, with a BERT-like template."""
    library: Any = import_module("tokenizers")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789.,?!")
    pieces = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *letters]
    pieces += [f"##{letter}" for letter in letters] + WORDS
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    assert len(vocabulary) <= VOCABULARY
    tokenizer = library.Tokenizer(library.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = library.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[CLS]", "[SEP]", "[UNK]"])
    tokenizer.post_processor = library.processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair=pair,
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    # Real files carry such left-overs; they must make no difference.
    tokenizer.enable_truncation(max_length=8)
    tokenizer.enable_padding(length=8, pad_id=0)
    return tokenizer


def tiny_graph(*, types: bool = False) -> Any:
    """Make the graph of :func:`expected_logit`; with types, each token of type 1 adds 100."""
    onnx = pytest.importorskip("onnx")
    helper, tensor = onnx.helper, onnx.TensorProto
    names = ["input_ids", "attention_mask"] + ["token_type_ids"] * types
    constants = {
        "weights": token_weights(),
        "step": np.array(0.1, np.float32),
        "one": np.array(1.0, np.float32),
        "hundred": np.array(100.0, np.float32),
        "axis": np.array([1], np.int64),
        "axis0": np.array(1, np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["weight"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=tensor.FLOAT),
        helper.make_node("CumSum", ["mask", "axis0"], ["position"]),
        helper.make_node("Mul", ["position", "step"], ["grown"]),
        helper.make_node("Add", ["grown", "one"], ["scale"]),
        helper.make_node("Mul", ["weight", "scale"], ["weighted"]),
    ]
    last = "weighted"
    if types:
        nodes += [
            helper.make_node("Cast", ["token_type_ids"], ["type"], to=tensor.FLOAT),
            helper.make_node("Mul", ["type", "hundred"], ["typed"]),
            helper.make_node("Add", ["weighted", "typed"], ["both"]),
        ]
        last = "both"
    nodes += [
        helper.make_node("Mul", [last, "mask"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "axis"], ["sum"], keepdims=1),
        helper.make_node("ReduceSum", ["mask", "axis"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["logits"]),
    ]
    shape = ["batch", "sequence"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, tensor.INT64, shape) for name in names],
        [helper.make_tensor_value_info("logits", tensor.FLOAT, ["batch", 1])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def tiny_manifest(*, types: bool = False) -> Manifest:
    """Describe the tiny model, in the terms of a DeBERTa-v2."""
    shape = Architecture(
        family="deberta-v2", layers=1, hidden_size=8, heads=2, head_size=4, intermediate_size=16,
        vocab_size=VOCABULARY, embedding_size=8, token_types=2 if types else 0, pad_token_id=0,
        norm="after", norm_epsilon=1e-7, score_terms=3,
        positions=Positions(0, RelativePositions(("p2c", "c2p"), buckets=0, furthest=512)),
        feed_forward=FeedForward("plain", "gelu"), head=Head.dense(8, "gelu"),
    )  # fmt: skip
    return Manifest(
        name="tiny",
        created="2026-01-31T12:00:00Z",
        source=Source("tests/tiny", None, "0" * 64),
        license="Apache-2.0",
        precision="fp32",
        max_length=MAX_LENGTH,
        architecture=shape,
        quantization=None,
        tools={"onnx": "1"},
        parity={"max_abs_logit_difference": 1e-6, "pairs": 1},
    )


def tiny_probes(*, types: bool = False) -> tuple[Probe, ...]:
    """Return probe pairs with the logits that the tiny model has for them."""
    tokenizer = word_tokenizer()
    tokenizer.no_truncation()
    tokenizer.no_padding()
    probes = []
    for query, document in PROBES:
        encoding = tokenizer.encode(query, document)
        second = sum(encoding.type_ids) / len(encoding.ids) if types else 0.0
        logit = expected_logit(encoding.ids) + 100 * second
        probes.append(Probe(query, document, float(np.float32(logit))))
    return tuple(probes)


def build_artifact(folder: Path, *, types: bool = False) -> Path:
    """Write the tiny model into ``folder``, as an artifact."""
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny_graph(types=types)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    word_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "deberta-v2"}), "utf-8")
    write_probes(folder, tiny_probes(types=types))
    write_manifest(folder, tiny_manifest(types=types))
    return folder


@pytest.fixture(scope="session")
def artifact_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny artifact's folder; not to be written to."""
    return build_artifact(tmp_path_factory.mktemp("artifact") / "tiny")


@pytest.fixture
def make_artifact(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that builds a tiny artifact a test may spoil."""

    def make(name: str = "spoiled", *, types: bool = False) -> Path:
        return build_artifact(tmp_path / name, types=types)

    return make


@pytest.fixture
def as_nobody(tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """Return a context in which permissions hold this process back; they hold root back in nothing.

    The test's folder and those above can be read in it.
    """

    @contextmanager
    def nobody() -> Iterator[None]:
        if sys.platform == "win32" or os.geteuid() != 0:
            yield
            return
        let_others_pass(tmp_path)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return nobody


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the tree as a fresh clone has it; not to be installed from in place."""
    return copy_tree(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="session")
def wheel(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel for this machine from the clone."""
    output = tmp_path_factory.mktemp("wheel")
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "wheel", "-q", *offline, "-w", str(output), str(clone)]
    subprocess.run(command, check=True, env={**os.environ, "EDGE_RERANK_TARGET": ""})
    (built,) = output.glob("*.whl")
    return built
