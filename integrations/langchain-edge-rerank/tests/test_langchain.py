"""The adapter with the real framework: retrievers, pipelines, copies, async and cancel."""

from __future__ import annotations

import asyncio
import copy
import pickle

import pytest
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import (
    CrossEncoderReranker,
    DocumentCompressorPipeline,
)
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever
from langchain_edge_rerank import EdgeRerank, EdgeRerankCrossEncoder

from edge_rerank import InputError, Reranker, Windows

QUERY = "how do plants eat?"
TEXTS = [
    "Steel bridges carry trains over rivers.",
    "Photosynthesis turns light, water and carbon dioxide into sugar.",
    "Plants take up minerals through their roots.",
    "",
]


class Fixed(BaseRetriever):
    """Finds all documents."""

    documents: list[Document]

    def _get_relevant_documents(self, query, *, run_manager):
        return self.documents


@pytest.fixture
def documents():
    return [Document(page_content=text, metadata={"n": [n]}) for n, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def direct():
    with Reranker.load() as reranker:
        yield reranker


def found(documents):
    return [(one.metadata["n"][0], one.metadata["relevance_score"]) for one in documents]


def expected(direct, count=None):
    return [(hit.index, hit.score) for hit in direct.rank(QUERY, TEXTS, top_k=count)]


def test_the_best_are_copied_with_their_scores(documents, direct):
    before = copy.deepcopy(documents)
    compressor = EdgeRerank(top_n=2)
    assert isinstance(compressor, BaseDocumentCompressor)
    best = compressor.compress_documents(documents, QUERY, callbacks=[])
    assert found(best) == expected(direct, 2)
    assert documents == before
    best[0].metadata["n"].append(9)
    assert documents == before
    assert EdgeRerank().compress_documents([], QUERY) == []
    assert found(EdgeRerank(top_n=None).compress_documents(documents, QUERY)) == expected(direct)


def test_a_threshold(documents, direct):
    least = expected(direct)[1][1]
    best = EdgeRerank(score_threshold=least).compress_documents(documents, QUERY)
    assert found(best) == [one for one in expected(direct) if one[1] >= least][:3]
    assert EdgeRerank(score_threshold=1.1).compress_documents(documents, QUERY) == []


def test_in_a_retriever_and_a_pipeline(documents, direct):
    pipeline = DocumentCompressorPipeline(
        transformers=[EdgeRerank(top_n=None), EdgeRerank(top_n=2)]
    )
    for compressor in (EdgeRerank(top_n=2), pipeline):
        retriever = ContextualCompressionRetriever(
            base_compressor=compressor, base_retriever=Fixed(documents=documents)
        )
        assert found(retriever.invoke(QUERY)) == expected(direct, 2)
        assert found(asyncio.run(retriever.ainvoke(QUERY))) == expected(direct, 2)


def test_a_cancelled_task_ends_the_work():
    compressor = EdgeRerank()
    many = [Document(page_content=f"{TEXTS[1]} {place} " * 20) for place in range(3000)]

    async def work():
        await compressor.acompress_documents(many[:1], QUERY)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(compressor.acompress_documents(many, QUERY), 0.2)
        return await asyncio.wait_for(compressor.acompress_documents(many[:1], QUERY), 20)

    assert len(asyncio.run(work())) == 1


def test_copies_share_the_model_and_travel(documents, direct):
    compressor = EdgeRerank(top_n=2, threads=1)
    expect = found(compressor.compress_documents(documents, QUERY))
    for other in (
        copy.deepcopy(compressor),
        compressor.model_copy(),
        pickle.loads(pickle.dumps(compressor)),
        EdgeRerank.model_validate(compressor.model_dump()),
    ):
        assert other == compressor
        assert found(other.compress_documents(documents, QUERY)) == expect
        assert other._shared.reranker is compressor._shared.reranker
    compressor.max_length = 8
    assert found(compressor.compress_documents(documents, QUERY)) != expect
    assert compressor._shared.reranker.max_length == 8


def test_long_documents_name_their_best_window(direct):
    text = (TEXTS[0] + " ") * 100 + TEXTS[1]
    (one,) = EdgeRerank(long_documents="windows").compress_documents(
        [Document(page_content=text)], QUERY
    )
    (hit,) = direct.rank(QUERY, [text], long_documents=Windows())
    assert one.metadata == {
        "relevance_score": hit.score,
        "relevance_window": [hit.window.start, hit.window.end],
    }


@pytest.mark.parametrize(
    "settings",
    [{"top_n": 0}, {"colour": 1}, {"long_documents": "chunks"}, {"query_max_tokens": 0}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError):
        EdgeRerank(**settings)


def test_the_cross_encoder(documents, direct):
    model = EdgeRerankCrossEncoder()
    pairs = [(QUERY, text) for text in TEXTS]
    assert model.score(pairs) == direct.predict(pairs).tolist()
    logits = EdgeRerankCrossEncoder(scores="logits").score(pairs)
    assert logits == direct.predict(pairs, scores="logits").tolist()
    reranker = CrossEncoderReranker(model=model, top_n=2)
    best = reranker.compress_documents(documents, QUERY)
    order = sorted(range(len(TEXTS)), key=lambda n: -direct.predict(pairs)[n])
    assert [one.metadata["n"][0] for one in best] == order[:2]
    with pytest.raises(InputError, match="scores is 'softmax'"):
        EdgeRerankCrossEncoder(scores="softmax")
