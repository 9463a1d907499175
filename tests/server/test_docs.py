"""The lines of docs/server.md: each block is read there, and run or sent as its client does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import DOCUMENTS, QUERY
from tests.server.running import Running
from tests.server.test_clients import HEAD, first, found, llama_index

__all__ = ["first", "llama_index"]

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text("utf-8")
PLACE = "http://localhost:8080"


def block(section: str) -> str:
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.search(r"```\w+\n(.*?)```", text, re.DOTALL)
    assert found is not None, section
    assert len([line for line in found[1].splitlines() if line.strip()]) <= 4
    return found[1]


def settings(section: str, server: Running) -> dict[str, str]:
    lines = block(section).replace(PLACE, server.address).splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def path(server: Running, url: str) -> str:
    assert url.startswith(server.address)
    return url.removeprefix(server.address)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_open_webui(server: Running) -> None:
    """As open_webui/retrieval/models/external.py of 0.12 sends it and reads the answer."""
    given = settings("open-webui", server)
    assert given["RAG_RERANKING_ENGINE"] == "external"
    body = {
        "model": given["RAG_RERANKING_MODEL"],
        "query": QUERY,
        "documents": DOCUMENTS,
        "top_n": len(DOCUMENTS),
    }
    url = path(server, given["RAG_EXTERNAL_RERANKER_URL"])
    data = server.post(url, body, bearer("")).json
    ordered = sorted(data["results"], key=lambda result: result["index"])
    assert [result["index"] for result in ordered] == list(range(len(DOCUMENTS)))
    assert all(0 <= result["relevance_score"] <= 1 for result in ordered)


def test_dify(server: Running) -> None:
    """As the plugin huggingface_tei asks: /info first, then /rerank with return_text."""
    given = settings("Dify", server)
    base, headers = path(server, given["Server URL"]), bearer(given["API Key"])
    info = server.get(f"{base}/info", headers).json
    assert list(info["model_type"]) == ["reranker"]
    assert int(info["max_input_length"]) > 0
    assert int(info["max_client_batch_size"]) > len(DOCUMENTS)
    body = {"query": QUERY, "texts": DOCUMENTS, "return_text": True}
    for result in server.post(f"{base}/rerank", body, headers).json:
        assert result["text"] == DOCUMENTS[result["index"]]
        assert 0 <= result["score"] <= 1


@pytest.mark.parametrize(
    ("base", "fields"),
    [
        ("/v1", {"top_n": len(DOCUMENTS)}),
        ("/v1", {"top_n": None, "return_documents": True}),
        ("/v1", {"top_n": None, "return_documents": False}),
        ("/v1", {"top_n": 2, "max_chunks_per_doc": None, "return_documents": True}),
    ],
    ids=["OpenAI-API-compatible", "its SDK", "Jina", "Xinference"],
)
def test_dify_s_other_providers(server: Running, base: str, fields: dict[str, Any]) -> None:
    """As they ask and read: the text beside each score where they asked for it."""
    assert f"the endpoint `{PLACE}/v1`" in " ".join(PAGE.split())
    body = {"model": "edge-rerank", "query": QUERY, "documents": DOCUMENTS, **fields}
    results = server.post(f"{base}/rerank", body, bearer("any")).json["results"]
    assert len(results) == (fields["top_n"] or len(DOCUMENTS))
    for one in results:
        assert 0 <= one["relevance_score"] <= 1
        if fields.get("return_documents"):
            assert one["document"]["text"] == DOCUMENTS[one["index"]]


@pytest.mark.parametrize("returned", [{}, {"return_documents": "true", "return_len": "true"}])
def test_ragflow(server: Running, returned: dict[str, str]) -> None:
    """As rag/llm/rerank_model.py asks: base, then /rerank; Xinference's flags are strings."""
    given = settings("RAGFlow", server)
    body = {"model": given["Model name"], "query": QUERY, "documents": DOCUMENTS}
    url = path(server, given["Base url"]) + "/rerank"
    answer = server.post(url, {**body, "top_n": len(DOCUMENTS), **returned}, bearer("x")).json
    scores = {one["index"]: one["relevance_score"] for one in answer["results"]}
    assert sorted(scores) == list(range(len(DOCUMENTS)))
    assert answer["usage"]["total_tokens"] > 0


def test_librechat(server: Running) -> None:
    """As src/tools/search/rerankers.ts of its agents asks, with its fixed name of a model."""
    given = settings("LibreChat", server)
    body = {
        "model": "jina-reranker-v2-base-multilingual",
        "query": QUERY,
        "top_n": 5,
        "documents": DOCUMENTS,
        "return_documents": True,
    }
    answer = server.post(path(server, given["JINA_API_URL"]), body, bearer(given["JINA_API_KEY"]))
    results = answer.json["results"]
    assert len(results) == 5
    assert all(one["document"]["text"] == DOCUMENTS[one["index"]] for one in results)


_NODES = """
from llama_index.core.schema import NodeWithScore, TextNode
nodes = [NodeWithScore(node=TextNode(text=d, id_=str(n))) for n, d in enumerate(documents)]
"""
_HAYSTACK = """
from haystack import Document
haystack_documents = [Document(content=d, meta={"n": n}) for n, d in enumerate(documents)]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "group", "before", "after"),
    [
        ("Cohere", "first", "", "show(results)"),
        (
            "LiteLLM", "first", "",
            'show((r["index"], r["relevance_score"]) for r in answer.results)',
        ),
        ("Jina", "llama_index", _NODES, "show((n.node.node_id, n.score) for n in answer)"),
        (
            "Text Embeddings Inference", "first", _HAYSTACK,
            'show((d.meta["n"], d.score) for d in answer["documents"])',
        ),
    ],
)  # fmt: skip
def test_python(
    server: Running, direct: Any, request: pytest.FixtureRequest,
    section: str, group: str, before: str, after: str,
) -> None:  # fmt: skip
    python = request.getfixturevalue(group)
    program = before + block(section).replace(PLACE, server.address) + after
    ranked = direct.rank(QUERY, DOCUMENTS[:3], scores="sigmoid")
    assert found(python, program, server) == [[one.index, one.score] for one in ranked]
    assert HEAD


def test_the_page_names_every_option_that_it_needs() -> None:
    from edge_rerank.cli import build_parser

    _, commands = build_parser("")
    known = commands["serve"].format_help()
    for option in re.findall(r"`(--[a-z-]+)", PAGE):
        assert option in known
