"""The adapter with the real framework: pipelines that are saved and loaded, async and cancel."""

from __future__ import annotations

import asyncio
import copy

import pytest
from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.rankers.edge_rerank import EdgeRerankRanker

from edge_rerank import Reranker

QUERY = "how do plants eat?"
TEXTS = [
    "Steel bridges carry trains over rivers.",
    "Photosynthesis turns light, water and carbon dioxide into sugar.",
    "Plants take up minerals through their roots.",
]


@pytest.fixture
def documents():
    return [Document(content=text, id=str(n), score=0.5) for n, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def direct():
    with Reranker.load() as reranker:
        yield reranker


def found(answer):
    return [(int(one.id), one.score) for one in answer["documents"]]


def expected(direct, count=None, texts=TEXTS, scores="sigmoid"):
    return [(hit.index, hit.score) for hit in direct.rank(QUERY, texts, top_k=count, scores=scores)]


def test_the_best_come_first_and_nothing_given_is_changed(documents, direct):
    before = copy.deepcopy(documents)
    ranker = EdgeRerankRanker(top_k=2)
    ranker.warm_up()
    ranker.warm_up()
    assert found(ranker.run(query=QUERY, documents=documents)) == expected(direct, 2)
    assert found(ranker.run(query=QUERY, documents=documents, top_k=1)) == expected(direct, 1)
    assert found(asyncio.run(ranker.run_async(QUERY, documents, 3))) == expected(direct)
    assert documents == before
    assert ranker.run(query=QUERY, documents=[]) == {"documents": []}
    assert asyncio.run(ranker.run_async(QUERY, [])) == {"documents": []}


def test_logits_thresholds_and_documents_that_come_twice(documents, direct):
    ranker = EdgeRerankRanker(scale_score=False)
    logits = expected(direct, scores="logits")
    assert found(ranker.run(query=QUERY, documents=documents)) == logits
    twice = ranker.run(query=QUERY, documents=[*documents, *documents])
    assert found(twice) == logits
    ranker = EdgeRerankRanker(scale_score=False, score_threshold=logits[0][1])
    assert found(ranker.run(query=QUERY, documents=documents)) == logits[:1]
    assert len(ranker.run(query=QUERY, documents=[Document(content=None)])["documents"]) <= 1


def test_meta_is_read_before_the_content(documents, direct):
    documents[0].meta.update(title="Plants eat light", none=None)
    ranker = EdgeRerankRanker(meta_fields_to_embed=["title", "none"], meta_data_separator=" | ")
    texts = ["Plants eat light | " + TEXTS[0], *TEXTS[1:]]
    answer = ranker.run(query=QUERY, documents=documents)
    assert found(answer) == expected(direct, texts=texts)


def test_a_saved_pipeline_is_loaded_and_runs(documents, direct):
    store = InMemoryDocumentStore()
    store.write_documents(documents)
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryBM25Retriever(store, top_k=3))
    pipeline.add_component("ranker", EdgeRerankRanker(top_k=2, long_documents="windows"))
    pipeline.connect("retriever.documents", "ranker.documents")
    asked = {"retriever": {"query": "plants rivers sugar"}, "ranker": {"query": QUERY}}
    answer = found(pipeline.run(asked)["ranker"])
    assert answer == expected(direct, 2)
    again = Pipeline.loads(pipeline.dumps())
    ranker = again.get_component("ranker")
    assert isinstance(ranker, EdgeRerankRanker)
    assert ranker.to_dict() == pipeline.get_component("ranker").to_dict()
    assert found(ranker.run(query=QUERY, documents=documents)) == answer
    assert ranker._shared.reranker is pipeline.get_component("ranker")._shared.reranker


def test_a_cancelled_task_ends_the_work(documents):
    ranker = EdgeRerankRanker()
    many = [Document(content=f"{TEXTS[1]} {place} " * 20) for place in range(3000)]

    async def work():
        await ranker.run_async(QUERY, documents)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ranker.run_async(QUERY, many), 0.2)
        return await asyncio.wait_for(ranker.run_async(QUERY, documents), 20)

    assert len(found(asyncio.run(work()))) == 3


@pytest.mark.parametrize(
    "settings", [{"top_k": 0}, {"top_k": -1}, {"long_documents": "x"}, {"query_max_tokens": 0}]
)
def test_settings_out_of_range_are_refused(settings, documents):
    with pytest.raises(ValueError):
        EdgeRerankRanker(**settings)
    with pytest.raises(ValueError, match="top_k must be > 0, but got 0"):
        EdgeRerankRanker().run(query=QUERY, documents=documents, top_k=0)
