"""Official clients, unmodified, from the package index: what strangers point at this server.

Each group has an environment of its own, since their pins contradict each other. The first word
of a program's arguments is the server's address.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import Reranker
from tests.server.conftest import DOCUMENTS, QUERY
from tests.server.running import Running, serving
from tests.support.clients import environment, run

pytestmark = pytest.mark.slow

HEAD = f"""
import json, sys
url, query, documents = sys.argv[1], {QUERY!r}, {DOCUMENTS[:3]!r}
def show(found):
    print("FOUND " + json.dumps([[int(index), float(score)] for index, score in found]))
"""


@pytest.fixture(scope="module")
def expected(direct: Reranker) -> list[list[Any]]:
    return [[one.index, one.score] for one in direct.rank(QUERY, DOCUMENTS[:3], scores="sigmoid")]


@pytest.fixture(scope="module")
def first() -> Path:
    return environment(
        "cohere>=7,<8", "litellm>=1.110,<2", "cohere-haystack>=11,<12", "jina-haystack>=2,<3",
        "huggingface-api-haystack>=3,<4", "vllm-haystack>=3,<4", "pytest>=8", "pytest-asyncio>=1",
    )  # fmt: skip


@pytest.fixture(scope="module")
def langchain() -> Path:
    return environment(
        "langchain-cohere>=0.6,<0.7", "langchain-community>=0.4,<0.5", "infinity-client>=0.0.78,<1",
    )  # fmt: skip


@pytest.fixture(scope="module")
def llama_index() -> Path:
    return environment(
        "llama-index-core>=0.14,<0.15", "llama-index-postprocessor-cohere-rerank>=0.10,<0.11",
        "llama-index-postprocessor-jinaai-rerank>=0.6,<0.7",
        "llama-index-postprocessor-tei-rerank>=0.6,<0.7",
    )  # fmt: skip


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    with serving(environment={"EDGE_RERANK_API_KEYS": "a-key-of-mine"}) as running:
        yield running


def found(python: Path, program: str, server: Running, **variables: str) -> Any:
    printed = run(python, HEAD + program, server.address, **variables)
    line = next(line for line in printed.splitlines() if line.startswith("FOUND "))
    return json.loads(line.removeprefix("FOUND "))


COHERE = {
    "v1": """
import cohere
client = cohere.Client(api_key="k" * 9, base_url=url)
answer = client.rerank(query=query, documents=documents, model="rerank-v3.5", top_n=None)
show((r.index, r.relevance_score) for r in answer.results)
""",
    "v1 objects": """
import cohere
client = cohere.Client(api_key="k" * 9, base_url=url)
answer = client.rerank(query=query, documents=[{"body": d} for d in documents],
                       rank_fields=["body"], return_documents=True, max_chunks_per_doc=10)
assert [r.document.body for r in answer.results] == [documents[r.index] for r in answer.results]
show((r.index, r.relevance_score) for r in answer.results)
""",
    "v2": """
import cohere
client = cohere.ClientV2(api_key="", base_url=url)
answer = client.rerank(model="any", query=query, documents=documents, max_tokens_per_doc=4096)
assert answer.meta.tokens.input_tokens > 0
show((r.index, r.relevance_score) for r in answer.results)
""",
    "async": """
import asyncio, cohere
async def ask():
    client = cohere.AsyncClientV2(api_key="k" * 9, base_url=url)
    return await client.rerank(model="any", query=query, documents=documents, top_n=3)
show((r.index, r.relevance_score) for r in asyncio.run(ask()).results)
""",
}


@pytest.mark.parametrize("name", COHERE)
def test_cohere(server: Running, first: Path, expected: Any, name: str) -> None:
    assert found(first, COHERE[name], server) == expected


def test_cohere_errors_and_retries(first: Path, guarded: Running) -> None:
    program = """
import cohere
for key, documents, kind in (
    ("wrong-key-x", ["a"], cohere.UnauthorizedError),
    ("a-key-of-mine", [], cohere.BadRequestError),
):
    client = cohere.ClientV2(api_key=key, base_url=sys.argv[1])
    try:
        client.rerank(model="m", query="q", documents=documents)
    except kind as error:
        assert error.body["message"]
    else:
        raise SystemExit("no error")
show([(1, 1)])
"""
    assert found(first, program, guarded) == [[1, 1.0]]
    refused = [line["status"] for line in guarded.lines() if line["event"] == "request"]
    assert refused == [401, 400]  # asked once each


def test_cohere_waits_and_comes_back(first: Path) -> None:
    program = """
import cohere, threading, urllib.request
client = cohere.ClientV2(api_key="k" * 9, base_url=url)
answers = []
def ask(count):
    documents, patient = ["plants eat light " * 30] * count, {"max_retries": 20}
    answer = client.rerank(model="m", query=query, documents=documents, request_options=patient)
    answers.append(answer)
def held():
    with urllib.request.urlopen(url + "/metrics") as stream:
        return b"edge_rerank_requests_held 1\\n" in stream.read()
long = threading.Thread(target=ask, args=(1000,))
long.start()
while not held():
    assert long.is_alive()
ask(1)  # while the server has all that it takes
long.join()
show((len(answer.results), 1) for answer in answers)
"""
    with serving("--max-waiting", "1") as server:
        assert sorted(found(first, program, server)) == [[1, 1.0], [1000, 1.0]]
        asked = [line["status"] for line in server.lines() if line["event"] == "request"]
        assert 429 in asked
        assert asked.count(200) >= 2


LITELLM = """
import litellm
for provider in ("hosted_vllm", "jina_ai", "cohere", "infinity", "huggingface"):
    for returned in (False, True):  # it asks for documents unless told not to
        if returned and provider == "infinity":
            continue  # takes them as strings alone
        answer = litellm.rerank(model=provider + "/m", query=query, documents=documents, top_n=3,
                                api_base=url, api_key="k" * 9, return_documents=returned)
        assert all(("document" in r) == returned for r in answer.results)
        assert all(r.get("document", {}).get("text", documents[r["index"]])
                   == documents[r["index"]] for r in answer.results)
        show((r["index"], r["relevance_score"]) for r in answer.results)
"""


def test_litellm_with_five_providers(server: Running, first: Path, expected: Any) -> None:
    printed = run(first, HEAD + LITELLM, server.address, LITELLM_LOCAL_MODEL_COST_MAP="True")
    lines = [line for line in printed.splitlines() if line.startswith("FOUND ")]
    assert [json.loads(line.removeprefix("FOUND ")) for line in lines] == [expected] * 9


HAYSTACK = {
    "tei": """
from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker
ranker = HuggingFaceTEIRanker(url=url, top_k=3)
""",
    "cohere": """
from haystack.utils import Secret
from haystack_integrations.components.rankers.cohere import CohereRanker
ranker = CohereRanker(api_base_url=url, api_key=Secret.from_token("k" * 9))
""",
    "jina": """
from haystack.utils import Secret
from haystack_integrations.components.rankers.jina import JinaRanker
ranker = JinaRanker(base_url=url + "/v1/rerank", api_key=Secret.from_token("k" * 9))
""",
    "vllm": """
from haystack.utils import Secret
from haystack_integrations.components.rankers.vllm import VLLMRanker
ranker = VLLMRanker(model="any-model", api_base_url=url + "/v1", api_key=Secret.from_token("k" * 9))
""",
}


@pytest.mark.parametrize("name", HAYSTACK)
def test_haystack(server: Running, first: Path, expected: Any, name: str) -> None:
    program = (
        HAYSTACK[name]
        + """
from haystack import Document
answer = ranker.run(query=query, documents=[Document(content=d, meta={"n": n})
                                            for n, d in enumerate(documents)])
show((d.meta["n"], d.score) for d in answer["documents"])
"""
    )
    assert found(first, program, server) == expected


LANGCHAIN = {
    "cohere": """
from langchain_cohere import CohereRerank
import cohere
reranker = CohereRerank(cohere_api_key="k" * 9, base_url=url, model="any", top_n=3)
show((r["index"], r["relevance_score"]) for r in reranker.rerank(documents, query))
""",
    "jina": """
import langchain_community.document_compressors.jina_rerank as jina
jina.JINA_API_URL = url + "/v1/rerank"
reranker = jina.JinaRerank(jina_api_key="k" * 9, model="any", top_n=None)
show((r["index"], r["relevance_score"]) for r in reranker.rerank(documents, query))
""",
    "infinity": """
from infinity_client.client import Client
from langchain_community.document_compressors.infinity_rerank import InfinityRerank
reranker = InfinityRerank(client=Client(base_url=url), model="any")
show((r["index"], r["relevance_score"]) for r in reranker.rerank(documents, query))
""",
    "infinity alone": """
from infinity_client.api.default import rerank
from infinity_client.client import AuthenticatedClient
from infinity_client.models import RerankInput
body = RerankInput(query, documents, return_documents=True, raw_scores=False, model="any", top_n=3)
answer = rerank.sync(client=AuthenticatedClient(base_url=url + "/v1", token="k" * 9), body=body)
assert answer.model == "any" and answer.usage.total_tokens > 0
assert [r.document["text"] for r in answer.results] == [documents[r.index] for r in answer.results]
show((r.index, r.relevance_score) for r in answer.results)
""",
}


@pytest.mark.parametrize("name", LANGCHAIN)
def test_langchain(server: Running, langchain: Path, expected: Any, name: str) -> None:
    assert found(langchain, LANGCHAIN[name], server) == expected


LLAMA_INDEX = {
    "cohere": """
from llama_index.postprocessor.cohere_rerank import CohereRerank
reranker = CohereRerank(api_key="k" * 9, base_url=url, model="any", top_n=3)
""",
    "jina": """
from llama_index.postprocessor.jinaai_rerank import JinaRerank
reranker = JinaRerank(api_key="k" * 9, base_url=url + "/v1", model="any", top_n=3)
""",
    "tei": """
from llama_index.postprocessor.tei_rerank import TextEmbeddingInference
reranker = TextEmbeddingInference(base_url=url, top_n=3, auth_token="k" * 9)
""",
}


@pytest.mark.parametrize("name", LLAMA_INDEX)
def test_llama_index(server: Running, llama_index: Path, expected: Any, name: str) -> None:
    program = (
        LLAMA_INDEX[name]
        + """
from llama_index.core.schema import NodeWithScore, TextNode
nodes = [NodeWithScore(node=TextNode(text=d, id_=str(n))) for n, d in enumerate(documents)]
answer = reranker.postprocess_nodes(nodes, query_str=query)
show((n.node.node_id, n.score) for n in answer)
"""
    )
    assert found(llama_index, program, server) == expected
