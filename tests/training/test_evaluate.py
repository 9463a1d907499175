"""Figures of a ranking: fused orders, and an evaluation with a scorer that knows the answers."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edge_rerank_training.collection import Collection, first_stage
from edge_rerank_training.evaluate import evaluate_collection, fused, rubbish_scores
from edge_rerank_training.mining import Bm25
from edge_rerank_training.rubbish import OTHER_RUBBISH, RUBBISH

PASSAGES = [f"word{i} filler text about ships" for i in range(12)]


class Oracle:
    """A teacher that scores passage i, the answer of query i, highest."""

    def logits(
        self,
        queries: Sequence[str],
        passages: Sequence[str],
        pairs: np.ndarray,
        say: Callable[[str], None],
    ) -> np.ndarray:
        return np.array([float(q == p) for q, p in pairs], dtype=np.float32)


def test_fusion_sums_reciprocal_ranks_and_keeps_the_first_order_in_ties() -> None:
    # 7: 1/61 + 1/63; 5: 1/62 + 1/61; 9: 1/63 + 1/62
    assert fused(np.array([7, 5, 9]), np.array([5, 9, 7])).tolist() == [5, 7, 9]
    assert fused(np.array([3, 8]), np.array([8, 3])).tolist() == [3, 8]


def test_an_oracle_gets_all_and_the_first_stage_what_it_found() -> None:
    queries = ["ships", "ships and text"]
    found = first_stage(PASSAGES, queries)
    vectors = np.eye(12, dtype=np.float32)
    collection = Collection(
        "toy", PASSAGES, queries, [{0: 1}, {1: 1}], vectors, vectors[[3, 4]], found
    )
    figures = evaluate_collection(collection, Oracle(), lambda text: None)["figures"]
    assert figures["model"]["mean"] == 1.0
    assert figures["bm25"]["mean"] < 1.0
    assert figures["model_minus_bm25"]["mean"] == pytest.approx(
        1.0 - figures["bm25"]["mean"], abs=1e-3
    )
    assert figures["model_fused"]["queries"] == 2


class ByLength:
    """Scores a passage by its length alone: most rubbish is short."""

    def logits(
        self,
        queries: Sequence[str],
        passages: Sequence[str],
        pairs: np.ndarray,
        say: Callable[[str], None],
    ) -> np.ndarray:
        return np.array([len(passages[p]) - 40.0 for _, p in pairs], dtype=np.float32)


def test_rubbish_above_an_answer_is_counted() -> None:
    vectors, longest = np.eye(2, dtype=np.float32), max(map(len, [*RUBBISH, *OTHER_RUBBISH]))
    passages, grades = ["x" * (longest + 1), "short"], [{0: 1}, {1: 1}]
    candidates = np.array([[0, 1], [0, 1]])
    toy = Collection("toy", passages, ["a", "b"], grades, vectors, vectors, candidates)
    found = rubbish_scores([toy], ByLength(), lambda text: None)
    for name, texts in (("trained_with", RUBBISH), ("other", OTHER_RUBBISH)):
        assert found[name]["queries_with_rubbish_above_the_answer"] == 0.5
        above = sum(len(text) > 40 for text in texts)
        assert found[name]["above_0.5"] == pytest.approx(above / len(texts), abs=1e-4)
        highest = 1 / (1 + np.exp(40.0 - max(map(len, texts))))
        assert found[name]["highest"] == pytest.approx(highest, abs=1e-3)
    assert not set(RUBBISH) & set(OTHER_RUBBISH)


def test_shares_of_the_best_score() -> None:
    lexicon = Bm25(["red ships", "blue ships", "green trees"])
    shares = lexicon.scores("blue ships")
    assert shares.argmax() == 1
    assert shares[1] == pytest.approx(1.0)
    assert 0 < shares[0] < 1
    assert shares[2] == 0
    assert not lexicon.scores("unknown").any()
