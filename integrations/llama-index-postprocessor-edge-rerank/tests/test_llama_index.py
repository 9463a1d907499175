"""The adapter with the real framework: query engines, events, copies, async and cancel."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle

import pytest
from llama_index.core import QueryBundle, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.edge_rerank import EdgeRerank

from edge_rerank import Reranker

QUERY = "how do plants eat?"
TEXTS = [
    "Steel bridges carry trains over rivers.",
    "Photosynthesis turns light, water and carbon dioxide into sugar.",
    "Plants take up minerals through their roots.",
]


@pytest.fixture
def nodes():
    return [
        NodeWithScore(node=TextNode(text=text, id_=str(n), metadata={}), score=0.1 * n)
        for n, text in enumerate(TEXTS)
    ]


@pytest.fixture(scope="module")
def direct():
    with Reranker.load() as reranker:
        yield reranker


def found(nodes):
    return [(int(one.node.node_id), one.score) for one in nodes]


def expected(direct, count=None, texts=TEXTS):
    return [(hit.index, hit.score) for hit in direct.rank(QUERY, texts, top_k=count)]


def test_the_best_come_first_and_nothing_given_is_changed(nodes, direct):
    before = copy.deepcopy(nodes)
    reranker = EdgeRerank()
    assert isinstance(reranker, BaseNodePostprocessor)
    assert found(reranker.postprocess_nodes(nodes, query_str=QUERY)) == expected(direct, 2)
    bundle = QueryBundle(QUERY)
    again = asyncio.run(EdgeRerank(top_n=9).apostprocess_nodes(nodes, bundle))
    assert found(again) == expected(direct)
    assert nodes == before
    assert reranker.postprocess_nodes([], query_str=QUERY) == []
    with pytest.raises(ValueError, match="Missing query bundle"):
        reranker.postprocess_nodes(nodes)


def test_metadata_is_read_and_the_retrieval_score_kept(nodes, direct):
    nodes[0].node.metadata = {"title": "Plants eat light"}
    reranker = EdgeRerank(top_n=3, keep_retrieval_score=True)
    best = reranker.postprocess_nodes(nodes, query_str=QUERY)
    texts = ["title: Plants eat light\n\n" + TEXTS[0], *TEXTS[1:]]
    assert found(best) == expected(direct, texts=texts)
    assert {one.node.node_id: one.node.metadata["retrieval_score"] for one in best} == {
        "0": 0.0, "1": 0.1, "2": 0.2
    }  # fmt: skip
    assert all("retrieval_score" not in one.node.metadata for one in nodes)


def test_a_threshold(nodes, direct):
    least = expected(direct)[0][1]
    best = EdgeRerank(score_threshold=least).postprocess_nodes(nodes, query_str=QUERY)
    assert found(best) == expected(direct, 1)


def test_events_are_told(nodes):
    seen = []

    class Handler(BaseEventHandler):
        def handle(self, event, **kwargs):
            seen.append(event)

    dispatcher = get_dispatcher()
    handler = Handler()
    dispatcher.add_event_handler(handler)
    debug = LlamaDebugHandler(print_trace_on_end=False)
    try:
        reranker = EdgeRerank(callback_manager=CallbackManager([debug]))
        best = reranker.postprocess_nodes(nodes, query_str=QUERY)
    finally:
        dispatcher.event_handlers.remove(handler)
    start, end = (one for one in seen if one.class_name().startswith("ReRank"))
    assert (start.query, start.top_n, start.model_name) == (QUERY, 2, "edge-rerank")
    assert len(start.nodes) == 3
    assert found(end.nodes) == found(best)
    ((first, last),) = debug.get_event_pairs(CBEventType.RERANKING)
    assert len(first.payload["nodes"]) == 3
    assert found(last.payload["nodes"]) == found(best)


def test_in_a_query_engine(nodes, direct):
    index = VectorStoreIndex([one.node for one in nodes], embed_model=MockEmbedding(embed_dim=4))
    engine = index.as_query_engine(
        llm=MockLLM(), similarity_top_k=3, node_postprocessors=[EdgeRerank(top_n=2)]
    )
    assert found(engine.query(QUERY).source_nodes) == expected(direct, 2)
    assert found(asyncio.run(engine.aquery(QUERY)).source_nodes) == expected(direct, 2)


def test_a_cancelled_task_ends_the_work(nodes):
    reranker = EdgeRerank()
    many = [NodeWithScore(node=TextNode(text=f"{TEXTS[1]} {n} " * 20)) for n in range(3000)]

    async def work():
        await reranker.apostprocess_nodes(nodes, query_str=QUERY)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reranker.apostprocess_nodes(many, query_str=QUERY), 0.2)
        return await asyncio.wait_for(reranker.apostprocess_nodes(nodes, query_str=QUERY), 20)

    assert len(asyncio.run(work())) == 2


def test_copies_and_saved_ones(nodes):
    reranker = EdgeRerank(top_n=1, threads=1, long_documents="windows")
    expect = found(reranker.postprocess_nodes(nodes, query_str=QUERY))
    saved = json.loads(reranker.to_json())
    assert saved["class_name"] == "EdgeRerank"
    for other in (
        copy.deepcopy(reranker),
        pickle.loads(pickle.dumps(reranker)),
        EdgeRerank.from_dict(saved),
    ):
        assert found(other.postprocess_nodes(nodes, query_str=QUERY)) == expect
        assert other._shared.reranker is reranker._shared.reranker


@pytest.mark.parametrize(
    "settings", [{"top_n": 0}, {"long_documents": "x"}, {"query_max_tokens": 0}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError):
        EdgeRerank(**settings)
