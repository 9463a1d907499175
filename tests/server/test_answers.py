"""What each shape of request gets back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_rerank import Reranker
from edge_rerank.description import Scores
from tests.server.conftest import DOCUMENTS, QUERY
from tests.server.running import Running, serving
from tests.support.scoring_ways import write_other

RANKING = ["/rerank", "/v1/rerank", "/v2/rerank", "/reranking", "/v1/reranking"]


def expected(direct: Reranker, scores: Scores = "sigmoid") -> list[tuple[int, float]]:
    return [(one.index, one.score) for one in direct.rank(QUERY, DOCUMENTS, scores=scores)]


def rank(server: Running, path: str = "/v1/rerank", **fields: Any) -> Any:
    answer = server.post(path, {"query": QUERY, "documents": DOCUMENTS, **fields})
    assert answer.status == 200, answer.body
    return answer.json


def pairs(results: Any, name: str = "relevance_score") -> list[tuple[int, float]]:
    return [(one["index"], one[name]) for one in results]


@pytest.mark.parametrize("path", RANKING)
def test_documents_give_an_object_on_every_path(
    server: Running, direct: Reranker, path: str
) -> None:
    answer = rank(server, path, model="any-name")
    assert pairs(answer["results"]) == expected(direct)
    assert answer["model"] == "any-name"
    assert "object" not in answer
    tokens = sum(one.tokens for one in direct.rank(QUERY, DOCUMENTS))
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert answer["meta"]["tokens"]["input_tokens"] == tokens
    assert all("document" not in one for one in answer["results"])


@pytest.mark.parametrize("path", RANKING)
def test_texts_give_a_bare_array_on_every_path(
    server: Running, direct: Reranker, path: str
) -> None:
    answer = server.post(path, {"query": QUERY, "texts": DOCUMENTS})
    assert pairs(answer.json, "score") == expected(direct)
    assert all(set(one) == {"index", "score"} for one in answer.json)
    assert int(answer.headers["x-compute-tokens"]) > 0


def test_equal_scores_are_in_order_of_index(server: Running) -> None:
    order = [one["index"] for one in rank(server)["results"]]
    assert order.index(0) < order.index(3)


@pytest.mark.parametrize("top_n", [None, 0, 99, 5, 5.0])
def test_top_n_that_cuts_nothing(server: Running, top_n: Any) -> None:
    assert len(rank(server, top_n=top_n)["results"]) == len(DOCUMENTS)


def test_top_n_cuts(server: Running, direct: Reranker) -> None:
    assert pairs(rank(server, top_n=2)["results"]) == expected(direct)[:2]
    texts = server.post("/rerank", {"query": QUERY, "texts": DOCUMENTS, "top_n": 1}).json
    assert pairs(texts, "score") == expected(direct)[:1]


@pytest.mark.parametrize("fields", [{"raw_scores": True}, {"use_activation": False}])
def test_raw_scores_where_asked_for(
    server: Running, direct: Reranker, fields: dict[str, Any]
) -> None:
    assert pairs(rank(server, **fields)["results"]) == expected(direct, "logits")


def test_raw_scores_of_texts(server: Running, direct: Reranker) -> None:
    body = {"query": QUERY, "texts": DOCUMENTS, "raw_scores": "true"}
    assert pairs(server.post("/rerank", body).json, "score") == expected(direct, "logits")


@pytest.mark.parametrize("asked", [True, "true", "True"])
def test_documents_are_returned_where_asked_for(server: Running, asked: Any) -> None:
    mixed: list[Any] = [DOCUMENTS[0], {"text": DOCUMENTS[1], "id": "b"}]
    answer = server.post(
        "/v1/rerank", {"query": QUERY, "documents": mixed, "return_documents": asked}
    ).json
    found = {one["index"]: one["document"] for one in answer["results"]}
    assert found == {0: {"text": DOCUMENTS[0]}, 1: {"text": DOCUMENTS[1], "id": "b"}}


def test_texts_are_returned_where_asked_for(server: Running) -> None:
    answer = server.post("/rerank", {"query": QUERY, "texts": DOCUMENTS, "return_text": True}).json
    assert all(one["text"] == DOCUMENTS[one["index"]] for one in answer)


def test_rank_fields_choose_what_is_read(server: Running, direct: Reranker) -> None:
    documents = [{"title": "Plants", "body": DOCUMENTS[1]}, {"title": "Bridges", "text": "x"}]
    answer = rank(server, documents=documents, rank_fields=["title", "body"])
    read = [f"Plants\n{DOCUMENTS[1]}", "Bridges"]
    assert pairs(answer["results"]) == [(r.index, r.score) for r in direct.rank(QUERY, read)]


def test_details_say_what_was_cut(server: Running) -> None:
    results = rank(server, documents=["plants " * 2000, "light"], return_details=True)["results"]
    found = {one["index"]: one for one in results}
    assert found[0]["truncated"] is True
    assert found[0]["tokens"] == 512
    assert found[1]["truncated"] is False


def test_null_is_a_default_everywhere(server: Running, direct: Reranker) -> None:
    names = [
        "top_n",
        "model",
        "return_documents",
        "max_tokens_per_doc",
        "rank_fields",
        "truncation",
    ]
    nothing: dict[str, Any] = dict.fromkeys(names)
    answer = rank(server, **nothing, max_chunks_per_doc=10, unknown=[1])
    assert pairs(answer["results"]) == expected(direct)
    assert answer["model"] == "mini"


def test_a_text_of_null_is_an_empty_one(server: Running, direct: Reranker) -> None:
    answer = server.post("/rerank", {"query": QUERY, "texts": [DOCUMENTS[1], None]}).json
    assert pairs(answer, "score") == [
        (r.index, r.score) for r in direct.rank(QUERY, [DOCUMENTS[1], ""])
    ]


def test_max_tokens_per_doc_cuts_documents(server: Running, direct: Reranker) -> None:
    long = "Steel bridges carry trains over rivers. Photosynthesis turns light into sugar."
    cut = rank(server, documents=[long], max_tokens_per_doc=7, return_details=True)["results"][0]
    longest = max(
        (end for end in range(len(long) + 1) if _tokens(direct, long[:end]) <= 7), default=0
    )
    assert cut["logit"] == direct.rank(QUERY, [long[:longest]])[0].logit
    whole = rank(server, documents=[long], max_tokens_per_doc=4096)["results"]
    assert pairs(whole) == [(0, direct.rank(QUERY, [long])[0].score)]


def _tokens(direct: Reranker, text: str) -> int:
    (empty,), (full,) = direct.score([("", "")]), direct.score([("", text)])
    return full.tokens - empty.tokens


def test_the_end_of_long_texts_is_kept_where_asked_for(server: Running, direct: Reranker) -> None:
    long = "bridge " * 900 + DOCUMENTS[1]
    body = {"query": QUERY, "texts": [long, "light"], "truncation_direction": "Left"}
    answer = {one["index"]: one["score"] for one in server.post("/rerank", body).json}
    fits, cut = 0, len(long)
    while cut - fits > 1:
        middle = (fits + cut) // 2
        (pair,) = direct.score([(QUERY, long[-middle:])])
        fits, cut = (fits, middle) if pair.truncated else (middle, cut)
    assert answer[0] == direct.rank(QUERY, [long[-fits:]])[0].score
    assert answer[0] != direct.rank(QUERY, [long])[0].score
    assert answer[1] == direct.rank(QUERY, ["light"])[0].score


@pytest.mark.parametrize("path", ["/rerank", "/predict"])
def test_truncate_false_refuses_long_texts(server: Running, path: str) -> None:
    long = "bridge " * 900
    body: dict[str, Any] = {"truncate": False}
    body |= (
        {"inputs": [["q", "a"], ["q", long]]}
        if path == "/predict"
        else {
            "query": "q",
            "texts": ["a", long],
        }
    )
    answer = server.post(path, body)
    assert answer.status == 422
    assert answer.json["error_type"] == "Validation"
    assert "text 1 does not fit" in answer.json["error"]
    assert server.post(path, {**body, "truncate": True}).status == 200


def test_truncate_false_refuses_a_text_of_which_the_end_would_be_kept(server: Running) -> None:
    body = {"query": "q", "texts": ["a", "bridge " * 900], "truncation_direction": "Left"}
    answer = server.post("/rerank", {**body, "truncate": False})
    assert answer.status == 422
    assert "text 1 does not fit" in answer.json["error"]
    assert server.post("/rerank", {**body, "texts": ["a", "b"], "truncate": False}).status == 200
    documents = {"query": "q", "documents": body["texts"], "truncation_side": "left"}
    assert server.post("/rerank", {**documents, "truncation": False}).status == 400


def test_halves_of_surrogate_pairs_come_back_as_they_came(server: Running) -> None:
    documents = [{"text": "a", "\ud800": ["\udfff \u00e9"]}]
    answer = rank(server, documents=documents, return_documents=True)
    assert answer["results"][0]["document"] == documents[0]
    wrong = server.post("/rerank", {"query": "q", "documents": [{}], "rank_fields": ["\ud800"]})
    assert (wrong.status, wrong.json["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("path", ["/score", "/v1/score"])
@pytest.mark.parametrize(
    "names", [("queries", "documents"), ("text_1", "text_2"), ("data_1", "data_2")]
)
def test_score_of_one_against_many(
    server: Running, direct: Reranker, path: str, names: tuple[str, str]
) -> None:
    answer = server.post(path, {names[0]: QUERY, names[1]: DOCUMENTS, "model": "m"}).json
    scores = [pair.score for pair in direct.score([(QUERY, text) for text in DOCUMENTS])]
    assert [one["score"] for one in answer["data"]] == scores
    assert [one["index"] for one in answer["data"]] == list(range(len(scores)))
    assert answer["model"] == "m"


def test_score_of_as_many(server: Running, direct: Reranker) -> None:
    answer = server.post("/score", {"text_1": ["a", "b"], "text_2": ["c", "d"]}).json
    assert [one["score"] for one in answer["data"]] == [
        pair.score for pair in direct.score([("a", "c"), ("b", "d")])
    ]
    wrong = server.post("/score", {"text_1": ["a", "b"], "text_2": ["c", "d", "e"]})
    assert wrong.status == 400
    assert "2 items" in wrong.json["error"]["message"]


def test_predict(server: Running, direct: Reranker) -> None:
    many = server.post("/predict", {"inputs": [["a", "c"], ["b", "d"]]}).json
    scores = [pair.score for pair in direct.score([("a", "c"), ("b", "d")])]
    assert many == [[{"score": score, "label": "LABEL_0"}] for score in scores]
    assert server.post("/predict", {"inputs": ["a", "c"]}).json == many[0]


def test_info_is_what_dify_reads(server: Running) -> None:
    info = server.get("/info").json
    assert list(info["model_type"]) == ["reranker"]
    assert info["max_input_length"] == 512
    assert info["max_client_batch_size"] >= 1000
    assert info["model_id"] == "mini"


def test_what_monitors_read(server: Running) -> None:
    assert server.get("/health").json == server.get("/ping").json == {"status": "ok"}
    assert server.get("/v1/models").json["data"][0]["id"] == "mini"
    rank(server)
    text = server.get("/metrics").body.decode()
    assert 'te_request_success{method="batch"}' in text
    assert "te_request_duration_count" in text
    assert server.get("/", {"accept": "*/*"}).json == {"status": "ok"}


def test_log_lines_have_counts_and_no_texts(server: Running) -> None:
    secret = "marmalade sandwiches"
    server.post("/rerank", {"query": secret, "texts": [secret]}, {"x-request-id": "trace-1"})
    server.post("/rerank", {"query": secret, "texts": [1]})
    server.get("/" + secret.replace(" ", "%20"))
    lines = server.lines()
    (line,) = [line for line in lines if line.get("id") == "trace-1"]
    assert line["documents"] == 1
    assert line["tokens"] > 3
    assert line["status"] == 200
    assert "marmalade" not in "".join(server.log)


def test_scores_are_sigmoids_whatever_the_models_own_are(tmp_path: Path) -> None:
    """Clients take scores for shares of 1; logits are there for whoever asks."""
    folder = write_other(tmp_path / "model", activation="identity")
    with serving("--model", str(folder)) as server, Reranker.load(folder) as direct:
        assert direct.artifact.manifest.activation == "identity"
        assert pairs(rank(server)["results"]) == expected(direct)
        assert pairs(rank(server, raw_scores=True)["results"]) == expected(direct, "logits")
        whole = rank(server, max_tokens_per_query=500)["results"]
        assert pairs(whole) == expected(direct)
        texts = server.post("/rerank", {"query": QUERY, "texts": DOCUMENTS}).json
        assert pairs(texts, "score") == expected(direct)
