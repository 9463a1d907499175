"""Long documents read in windows: their score, where it comes from, and what goes wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_rerank import InputError, Reranker, TokenizerError, Windows
from edge_rerank.pairs import Pair
from edge_rerank.results import sigmoid
from tests.conftest import MAX_LENGTH, WORDS

QUERY = "how do plants eat"


def long_text(seed: int, sentences: int = 60) -> str:
    rng = random.Random(seed)
    return " ".join(
        " ".join(rng.choices(WORDS, k=rng.randint(2, 12))) + "." for _ in range(sentences)
    )


@pytest.fixture(scope="module")
def reranker(artifact_path: Path) -> Iterator[Reranker]:
    with Reranker.load(artifact_path, threads=1) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def builtin() -> Iterator[Reranker]:
    with Reranker.load(threads=2) as loaded:
        yield loaded


def test_the_best_window_gives_the_score(reranker: Reranker) -> None:
    documents = [long_text(seed) for seed in range(5)]
    ranked = reranker.rank(QUERY, documents, long_documents="windows", scores="sigmoid")
    assert [one.logit for one in ranked] == sorted((one.logit for one in ranked), reverse=True)
    for one in ranked:
        assert len(one.windows) > 2
        assert not one.truncated
        text = documents[one.index]
        alone = list(
            reranker.score(
                [(QUERY, text[window.start : window.end]) for window in one.windows],
                scores="sigmoid",
            )
        )
        assert not any(pair.truncated for pair in alone)
        assert [window.tokens for window in one.windows] == [pair.tokens for pair in alone]
        logits = [pair.logit for pair in alone]
        assert [window.logit for window in one.windows] == pytest.approx(logits, rel=1e-5)
        assert all(window.tokens <= MAX_LENGTH for window in one.windows)
        best = max(window.logit for window in one.windows)
        assert one.window is not None
        assert (one.logit, one.score) == (best, one.window.score)
        assert one.tokens == sum(window.tokens for window in one.windows)


def test_the_mean_of_the_best(reranker: Reranker) -> None:
    (one,) = reranker.score([(QUERY, long_text(1))], long_documents=Windows(mean_of_best=3))
    best = sorted((window.logit for window in one.windows), reverse=True)[:3]
    assert one.logit == float(np.float32(sum(best) / 3))
    assert one.score == float(sigmoid(np.array([one.logit], np.float32))[0])
    (all_of_them,) = reranker.score(
        [(QUERY, long_text(1))], long_documents=Windows(mean_of_best=1000)
    )
    logits = [window.logit for window in all_of_them.windows]
    assert all_of_them.logit == pytest.approx(sum(logits) / len(logits), rel=1e-6)


def test_a_pair_has_the_same_bits_in_any_company(builtin: Reranker) -> None:
    pairs = [(QUERY, long_text(seed, seed * 40)) for seed in range(6)]
    together = list(builtin.score(pairs, long_documents="windows"))
    alone = [next(builtin.score([pair], long_documents="windows")) for pair in pairs]
    one_by_one = list(builtin.score(iter(pairs), long_documents="windows", at_a_time=1))
    assert together == alone == one_by_one
    assert len({len(one.windows) for one in together}) > 2
    by_predict = builtin.predict(pairs, long_documents="windows")
    assert by_predict.tolist() == [one.score for one in together]


def test_a_text_that_fits_scores_as_without_windows(builtin: Reranker) -> None:
    documents = ["plants eat light.", "", "  ", " steel \n\n bridge "]
    plain = builtin.rank(QUERY, documents)
    windows = builtin.rank(QUERY, documents, long_documents="windows")
    assert [(one.index, one.score, one.tokens) for one in plain] == [
        (one.index, one.score, one.tokens) for one in windows
    ]
    for one in windows:
        assert one.window is not None
        assert one.windows == (one.window,)
        assert (one.window.start, one.window.end) == (0, len(documents[one.index]))
    assert all(one.windows == () and one.window is None for one in plain)


def test_windows_find_what_lies_behind_the_cut(builtin: Reranker) -> None:
    steel = "The bridge was made of steel and carries trains over the river every day. " * 60
    answer = "Plants eat by photosynthesis, which makes sugar of light and water. "
    documents = [steel, steel + answer + steel]
    (best, other) = builtin.rank("how do plants make food", documents, long_documents="windows")
    assert best.index == 1
    assert best.logit > other.logit + 0.5
    assert best.window is not None
    assert best.window.start <= len(steel)
    assert best.window.end >= len(steel + answer) - 1
    cut = builtin.rank("how do plants make food", documents)
    assert cut[0].logit == cut[1].logit
    assert cut[0].truncated


def test_a_query_budget_without_windows(builtin: Reranker) -> None:
    query, document = "how do plants eat " * 300, "Plants eat light. " * 300
    (plain,) = builtin.score([(query, document)])
    (budget,) = builtin.score([(query, document)], query_max_tokens=5)
    assert plain.truncated
    assert budget.truncated
    assert budget.windows == ()
    assert budget.logit != plain.logit
    (short,) = builtin.score([("how", "Plants.")], query_max_tokens=5)
    assert short == next(builtin.score([("how", "Plants.")]))


def test_progress_counts_documents(reranker: Reranker) -> None:
    seen: list[int] = []
    documents = [long_text(seed) for seed in range(3)]
    reranker.rank(QUERY, documents, long_documents="windows", progress=seen.append)
    assert seen == [1, 2, 3]


def test_what_is_finished_comes_before_an_error(reranker: Reranker) -> None:
    def stream() -> Iterator[Pair]:
        for seed in range(3):
            yield QUERY, long_text(seed)
        yield QUERY, "\ud800"

    scored = reranker.score(stream(), long_documents="windows")
    assert len([next(scored) for _ in range(3)]) == 3
    with pytest.raises(InputError, match="pair 3: the document") as caught:
        next(scored)
    assert caught.value.index == 3


@pytest.mark.parametrize("at_a_time", [1, 4, 256])
def test_an_error_names_the_document_and_not_its_window(
    reranker: Reranker, monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    _, engine = reranker._parts()
    logits = engine.logits
    marked = reranker._parts()[0].encode([("", "shock")]).ids[2]

    def failing(batch):  # type: ignore[no-untyped-def]
        if (batch.ids == marked).any():
            raise TokenizerError("pair 0 cannot be read")
        return logits(batch)

    monkeypatch.setattr(engine, "logits", failing)
    good = long_text(1).replace("shock", "wave")
    pairs = [(QUERY, good), (QUERY, good), (QUERY, f"{good} shock. {good}"), (QUERY, good)]
    scored = reranker.score(pairs, long_documents="windows", at_a_time=at_a_time)
    assert len([next(scored), next(scored)]) == 2
    with pytest.raises(TokenizerError, match=r"^pair 2: cannot be read") as caught:
        next(scored)
    assert caught.value.index == 2


def test_an_error_of_the_tokenizer_names_the_document(
    reranker: Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, _ = reranker._parts()
    encode = tokenizer.encode

    def failing(pairs):  # type: ignore[no-untyped-def]
        if any("shock" in document for _, document in pairs):
            raise TokenizerError("no token")
        return encode(pairs)

    monkeypatch.setattr(tokenizer, "encode", failing)
    with pytest.raises(TokenizerError, match="document 1: no token") as caught:
        reranker.rank(QUERY, ["wave", "shock"], long_documents="windows")
    assert caught.value.index == 1
