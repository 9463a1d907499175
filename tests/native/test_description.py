"""What ``describe`` gives: a frozen type of its own, and its JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any, get_args

import pytest

from edge_rerank import Description, Reranker, verify
from edge_rerank.description import (
    EngineChoice,
    EngineInfo,
    Kernel,
    Memory,
    Scores,
    Timings,
    TokenizerChoice,
)
from edge_rerank.engines.choose import ENGINES
from edge_rerank.inputs.parameters import SCORES
from edge_rerank.native_library import Library
from edge_rerank.tokenizing.choose import TOKENIZERS
from native.targets import TARGETS

NATIVE_ENGINE = EngineInfo(
    engine="native",
    version="1",
    why="it is here",
    threads=2,
    max_length=64,
    kernel="avx2",
    kernel_why="asked for",
    kernels=("avx2", "scalar"),
    tokens_in_flight=100,
    memory=Memory(1, 2, 3),
    timings=Timings(0.1, 0.2, 0.3, 0.4, 0.5),
    multiply_adds=7.0,
)


def test_the_names_of_choices_are_the_types() -> None:
    for names, kind in ((ENGINES, EngineChoice), (SCORES, Scores), (TOKENIZERS, TokenizerChoice)):
        assert names == get_args(kind)
    built = {name for target in TARGETS.values() for name in target.kernels}
    assert set(get_args(Kernel)) == built


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_each_engine_says_all_there_is_of_it(library: Library, engine: Any) -> None:
    with Reranker.load(engine=engine, threads=1) as reranker:
        reranker.rank("a", ["b"])
        found = reranker.describe()
    assert isinstance(found, Description)
    assert (found.engine, found.why, found.threads) == (engine, "it was asked for", 1)
    assert found.tokenizer == "native"
    assert found.max_length == 512
    if engine == "native":
        assert found.kernels == library.kernels
        assert found.memory is not None
        assert found.timings is not None
        assert found.timings.products > 0
        assert (found.careful_products, found.token_budget) == (None, None)
    else:
        assert (found.kernel, found.memory, found.timings) == (None, None, None)
        assert isinstance(found.careful_products, bool)
    with pytest.raises(FrozenInstanceError):
        found.threads = 3  # type: ignore[misc]


def test_its_json() -> None:
    found = Description.of(NATIVE_ENGINE, "tokenizers", "it was asked for")
    assert json.loads(json.dumps(found.to_json())) == {
        "name": "native",
        "version": "1",
        "threads": 2,
        "details": {
            "tokenizer": "tokenizers",
            "tokenizer_why": "it was asked for",
            "why": "it is here",
            "max_length": 64,
            "kernel": "avx2",
            "kernel_why": "asked for",
            "kernels": ["avx2", "scalar"],
            "tokens_in_flight": 100,
            "weights_bytes": 1,
            "buffers_bytes": 2,
            "mapped_bytes": 3,
            "seconds": {
                "embedding": 0.1,
                "products": 0.2,
                "attention": 0.3,
                "rest": 0.4,
                "waiting": 0.5,
            },
            "multiply_adds": 7.0,
        },
    }


def test_a_verification_carries_it() -> None:
    report = verify(engine="onnxruntime", threads=1)
    assert report.engine is not None
    assert report.to_json()["engine"] == report.engine.to_json()
    assert report.engine.to_json()["details"]["why"] == "it was asked for"
