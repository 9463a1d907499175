"""Long documents over HTTP: Cohere's words for windows, the same scores as the direct calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edge_rerank import Reranker, Windows
from edge_rerank.results import RankedDocument
from tests.server.conftest import QUERY
from tests.server.running import Running, serving

STEEL = "The bridge was made of steel \N{EM DASH} it carries trains over the river every day. " * 40
LONG = STEEL + "Plants eat by photosynthesis, which makes sugar of light and water. " + STEEL
DOCUMENTS = ["Steel bridges carry trains.", LONG, "Plants take up minerals. " * 200, ""]


@pytest.fixture(scope="module")
def windows() -> Iterator[Running]:
    with serving("--long-documents", "windows", "--max-windows", "3") as running:
        yield running


def rank(server: Running, **fields: Any) -> list[dict[str, Any]]:
    answer = server.post("/v2/rerank", {"query": QUERY, "documents": DOCUMENTS, **fields})
    assert answer.status == 200, answer.body
    results: list[dict[str, Any]] = answer.json["results"]
    return results


def found(results: list[dict[str, Any]], key: str = "relevance_score") -> list[tuple[int, float]]:
    return [(one["index"], one[key]) for one in results]


def expected(direct: Reranker, **how: Any) -> list[RankedDocument[str]]:
    return direct.rank(QUERY, DOCUMENTS, scores="sigmoid", **how)


def scores(ranked: list[RankedDocument[str]]) -> list[tuple[int, float]]:
    return [(one.index, one.score) for one in ranked]


@pytest.mark.parametrize("chunks", [1, 2, 100])
def test_max_chunks_per_doc(server: Running, direct: Reranker, chunks: int) -> None:
    how = Windows(max_windows=chunks) if chunks > 1 else "truncate"
    assert found(rank(server, max_chunks_per_doc=chunks)) == scores(
        expected(direct, long_documents=how)
    )


def test_details_name_the_window_and_what_it_cost(server: Running, direct: Reranker) -> None:
    ranked = expected(direct, long_documents="windows")
    body = {"query": QUERY, "documents": DOCUMENTS, "long_documents": "windows"}
    answer = server.post("/rerank", {**body, "return_details": True, "top_n": 2}).json
    assert answer["usage"]["total_tokens"] == sum(one.tokens for one in ranked)
    for one, result in zip(ranked, answer["results"], strict=False):
        assert one.window is not None
        assert result["window"] == {"start": one.window.start, "end": one.window.end}
        assert (result["windows"], result["tokens"]) == (len(one.windows), one.tokens)
        assert (result["logit"], result["truncated"]) == (one.logit, False)


def test_relevant_spans(server: Running, direct: Reranker) -> None:
    ranked = expected(direct, long_documents="windows")
    for spans, most, least in (
        ({"mode": "enabled"}, None, 0.1),
        ({"threshold": 0, "max_spans": 1}, 1, 0.0),
        ({"threshold": 1.1}, None, 1.1),
    ):
        results = rank(server, relevant_spans=spans)
        assert found(results) == scores(ranked)
        for one, result in zip(ranked, results, strict=True):
            best = sorted(one.windows, key=lambda window: -window.logit)
            assert (
                result["relevant_spans"]
                == [
                    {"start": window.start, "end": window.end, "score": window.score}
                    for window in best
                    if window.score >= least
                ][:most]
            )
    assert "relevant_spans" not in rank(server, relevant_spans={"mode": "disabled"})[0]


def test_max_tokens_per_doc_beyond_the_model(server: Running, direct: Reranker) -> None:
    """Cohere's clients send 4096: long documents are read that far, in windows."""
    results = rank(server, max_tokens_per_doc=900, max_chunks_per_doc=99, return_details=True)
    (all_of_it,) = (one for one in expected(direct, long_documents="windows") if one.index == 1)
    (some,) = (one for one in results if one["index"] == 1)
    assert some["truncated"] is True
    assert 900 <= some["tokens"] < all_of_it.tokens
    short = rank(server, max_tokens_per_doc=5, max_chunks_per_doc=99, return_details=True)
    assert max(one["tokens"] for one in short) < 20


@pytest.mark.parametrize("limit", [5, 900])
def test_a_limit_of_the_request_s_own_is_no_forbidden_cut(server: Running, limit: int) -> None:
    for how in ({"long_documents": "windows"}, {"max_chunks_per_doc": 99}):
        rank(server, max_tokens_per_doc=limit, truncation=False, **how)
    refused = {"query": QUERY, "documents": DOCUMENTS, "max_tokens_per_doc": 900}
    refused |= {"truncation": False, "max_chunks_per_doc": 2}
    assert server.post("/rerank", refused).status == 400


def test_the_server_s_own_choice(windows: Running, direct: Reranker) -> None:
    ranked = expected(direct, long_documents=Windows(max_windows=3))
    assert found(rank(windows)) == scores(ranked)
    answer = windows.post("/rerank", {"query": QUERY, "texts": DOCUMENTS}).json
    assert found(answer, "score") == scores(ranked)
    pairs = [[QUERY, text] for text in DOCUMENTS]
    labels = windows.post("/predict", {"inputs": pairs}).json
    assert sorted((n, one[0]["score"]) for n, one in enumerate(labels)) == sorted(scores(ranked))
    cut = expected(direct)
    assert found(rank(windows, long_documents="truncate")) == scores(cut)
    assert found(rank(windows, max_chunks_per_doc=1)) == scores(cut)
    body = {"query": QUERY, "texts": DOCUMENTS, "truncation_direction": "Left"}
    assert windows.post("/rerank", body).status == 200


def test_too_many_windows_are_refused() -> None:
    with serving("--max-documents", "4") as server:
        body = {"query": QUERY, "documents": DOCUMENTS, "max_chunks_per_doc": 50}
        answer = server.post("/rerank", body)
        assert answer.status == 400
        assert "4 is the most this server takes" in answer.json["message"]
