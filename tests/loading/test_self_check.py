"""Loading scores two probe pairs: garbage is an error before the first answer, not after."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import ParityError, Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import (
    Probe,
    load_artifact,
    load_probes,
    write_manifest,
    write_probes,
)
from edge_rerank.cli import main
from edge_rerank.description import EngineInfo
from edge_rerank.loading.self_check import check_at_load, telling_probes
from edge_rerank.pairs import TokenizedBatch
from edge_rerank.tokenizing.choose import PairTokenizer
from tests.conftest import tiny_manifest, word_tokenizer
from tests.support.models import DEBERTA
from tests.support.tampering import change_tensor, copy_of_model, record_again


class Faulty:
    """An engine that gives what a processor that saturates gives: almost the same for all."""

    name = "onnxruntime"

    def __init__(self, *arguments: object, **options: object) -> None:
        self.closed = False

    def logits(self, pairs: TokenizedBatch) -> Any:
        return np.array([0.02, -0.03] * len(pairs), np.float32)[: len(pairs)]

    def describe(self) -> EngineInfo:
        return EngineInfo(
            engine="onnxruntime", version="0", why="a test", threads=1, max_length=512
        )

    def close(self) -> None:
        self.closed = True


def check(engine: Any, folder: Path, max_length: int = 512) -> None:
    artifact = load_artifact(folder)
    tokenizer = PairTokenizer(artifact.file("tokenizer.json"), max_length=max_length)
    check_at_load(artifact, tokenizer, engine)


def test_garbage_is_an_error_with_a_remedy() -> None:
    with pytest.raises(ParityError) as caught:
        check(Faulty(), DEBERTA)
    for piece in (
        *(str(DEBERTA), "the engine onnxruntime 0", "has the logit 0.02", "is stored"),
        *("edge-rerank verify", "another engine", "fp32 artifact", "self_check=False"),
    ):
        assert piece in str(caught.value)


def test_pairs_that_do_not_fit_are_no_fault() -> None:
    check(Faulty(), builtin_model(), max_length=8)


def test_the_engine_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Faulty()
    monkeypatch.setattr("edge_rerank.reranker.create_engine", lambda *_, **__: engine)
    with pytest.raises(ParityError):
        Reranker.load()
    assert engine.closed


def words(folder: Path) -> None:
    change_tensor(folder, "embeddings.word.weight", lambda rows: np.roll(rows, 1, axis=0))


def tokenizer(folder: Path) -> None:
    word_tokenizer().save(str(folder / "tokenizer.json"))


@pytest.mark.parametrize("spoil", [words, tokenizer])
def test_files_of_another_model(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    spoil(folder)
    record_again(folder)
    with pytest.raises(ParityError, match="spoilt: the model does not give its scores here"):
        Reranker.load(folder)
    with Reranker.load(folder, self_check=False) as reranker:
        assert reranker.predict([("a", "b")]).shape == (1,)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy_of_model(tmp_path / "spoilt")
    words(folder)
    record_again(folder)
    assert main(["rank", "a", "b", "--model", str(folder)]) == 1
    assert "does not give its scores here" in capsys.readouterr().err
    assert main(["rank", "a", "b", "--model", str(folder), "--skip-self-check"]) == 0
    assert main(["info", str(folder)]) == 0  # which shows how far off it is


def test_artifacts_without_probes_load(make_artifact: Callable[..., Path]) -> None:
    folder = make_artifact()
    write_probes(folder, ())
    write_manifest(folder, tiny_manifest())
    with Reranker.load(folder):
        pass
    assert telling_probes([]) == []
    assert telling_probes([Probe("a", "", 1.0)]) == []


def test_it_costs_a_fraction_of_all_probes() -> None:
    """Some milliseconds on an idle machine; how many depends on what else runs."""
    with Reranker.load() as reranker:
        artifact, (tokens, engine) = reranker.artifact, reranker._parts()
        all_probes = [(probe.query, probe.document) for probe in load_probes(artifact)]
        some, all_of_them = [], []
        for _ in range(7):
            start = time.perf_counter()
            check_at_load(artifact, tokens, engine)
            some.append(time.perf_counter() - start)
            engine.logits(tokens.encode(all_probes))
            all_of_them.append(time.perf_counter() - start - some[-1])
    assert min(some) < 0.3 * min(all_of_them)


def test_the_chosen_probes_tell() -> None:
    probes = load_probes(load_artifact(builtin_model()))
    low, high = telling_probes(probes)
    assert max(len(low.document), len(high.document)) < 100
    assert high.logit - low.logit > np.std([probe.logit for probe in probes])
