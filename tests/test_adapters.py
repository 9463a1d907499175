"""What adapters share: one engine for equal settings, which goes with them, and copies."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_rerank import InputError, Reranker, Windows
from edge_rerank.adapters import SharedModel, asked_of, best

QUERY = "how do plants eat"
TEXTS = ["steel bridge", "plants eat light", "the water flows"]


def test_equal_settings_share_a_model_that_goes_with_them(artifact_path: Path) -> None:
    path = str(artifact_path)
    one, other = SharedModel(path, threads=1), SharedModel(path, threads=1, scores="logits")
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda model: id(model.reranker), [one, other] * 4))) == 1
    assert SharedModel(path, threads=2).reranker is not one.reranker
    for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert again == one
        assert hash(again) == hash(one)
        assert again.reranker is one.reranker
    gone = weakref.ref(one.reranker)
    del one, other, again
    gc.collect()
    assert gone() is None


def test_it_ranks_as_the_reranker_does(artifact_path: Path) -> None:
    how = Windows(overlap=0)
    model = SharedModel(
        str(artifact_path), threads=1, max_length=16, scores="logits",
        long_documents=how, query_max_tokens=3,
    )  # fmt: skip
    texts = [*TEXTS, " ".join(TEXTS * 9)]
    with Reranker.load(artifact_path, threads=1, max_length=16) as direct:
        options: dict[str, Any] = {
            "scores": "logits", "long_documents": how, "query_max_tokens": 3
        }  # fmt: skip
        expected = direct.rank(QUERY, texts, **options)
        assert model.rank(QUERY, texts) == expected
        assert asyncio.run(model.arank(QUERY, texts)) == expected
        pairs = [(QUERY, text) for text in texts]
        assert model.score(pairs) == direct.predict(pairs, **options).tolist()


def test_nothing_is_opened_before_it_is_needed() -> None:
    model = SharedModel("/nowhere/at-all")
    assert model.name == "at-all"
    assert SharedModel().name == "edge-rerank"
    with pytest.raises(InputError, match="long_documents is 'x'"):
        SharedModel(long_documents="x")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="scores is 'x'"):
        SharedModel(scores="x")  # type: ignore[arg-type]


def test_a_component_s_fields_are_asked_for() -> None:
    fields: dict[str, Any] = {
        "model": "m", "threads": 1, "max_length": 9, "long_documents": "windows",
        "query_max_tokens": 3,
    }  # fmt: skip
    component = SimpleNamespace(**fields)
    asked = asked_of(component, scores="logits")
    assert asked == SharedModel("m", 1, 9, "logits", "windows", 3)
    assert asked_of(component, asked, scores="logits") is asked
    component.threads = 2
    assert asked_of(component, asked, scores="logits").threads == 2
    component.query_max_tokens = 0
    with pytest.raises(InputError, match="query_max_tokens is 0"):
        asked_of(component, asked)


def test_the_best(artifact_path: Path) -> None:
    ranked = SharedModel(str(artifact_path), threads=1).rank(QUERY, TEXTS)
    assert best(ranked, None, None) == ranked
    assert best(ranked, 2, None) == ranked[:2]
    assert best(ranked, 9, ranked[1].score) == ranked[:2]
    for count in (0, -1, True):
        with pytest.raises(InputError, match="top_n must be > 0"):
            best(ranked, count, None)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_forked_process_opens_its_own(artifact_path: Path) -> None:
    program = """
import os, sys
from edge_rerank.adapters import SharedModel
model = SharedModel(sys.argv[1], threads=1)
expected = model.rank("how do plants eat", ["plants", "steel"])
child = os.fork()
if not child:
    os._exit(0 if model.rank("how do plants eat", ["plants", "steel"]) == expected else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(artifact_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
