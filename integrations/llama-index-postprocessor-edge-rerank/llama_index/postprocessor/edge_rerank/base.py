"""A node postprocessor: the best nodes of a retriever, each with its score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from edge_rerank import RankedDocument, Windows
from edge_rerank.adapters import SharedModel, asked_of, best

_dispatcher = get_dispatcher(__name__)


class EdgeRerank(BaseNodePostprocessor):
    """Keeps the nodes that answer the query best, best first.

    The nodes that come in are left as they are. The model is opened at the first call, and once for
    all postprocessors of a process with the same settings.
    """

    model: str | None = Field(
        default=None, description="Folder of an exported model; None is the built-in one."
    )
    top_n: int = Field(default=2, ge=1, description="Most nodes to return.")
    score_threshold: float | None = Field(default=None, description="Least score of a node.")
    keep_retrieval_score: bool = Field(
        default=False, description="Put the retriever's score into metadata['retrieval_score']."
    )
    threads: int | None = None
    max_length: int | None = None
    long_documents: Literal["truncate", "windows"] | Windows = Field(
        default="truncate", description="windows reads long nodes whole."
    )
    query_max_tokens: int | None = None
    _shared: SharedModel = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Refuse settings that are out of range now, and not at the first query."""
        super().model_post_init(context)
        self._shared = asked_of(self)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that saved postprocessors carry."""
        return "EdgeRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = self._query(query_bundle)
        if not nodes:
            return []
        with self._told(nodes, query) as told:
            told += self._kept(nodes, self._model().rank(query, _texts(nodes)))
        return told

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = self._query(query_bundle)
        if not nodes:
            return []
        with self._told(nodes, query) as told:
            told += self._kept(nodes, await self._model().arank(query, _texts(nodes)))
        return told

    def _query(self, query_bundle: QueryBundle | None) -> str:
        if query_bundle is None:
            raise ValueError("Missing query bundle in extra info.")
        return query_bundle.query_str

    @contextmanager
    def _told(self, nodes: list[NodeWithScore], query: str) -> Iterator[list[NodeWithScore]]:
        """Tell instrumentation and callbacks of what goes in, and of what the block puts out."""
        name = self._shared.name
        _dispatcher.event(
            ReRankStartEvent(query=query, nodes=nodes, top_n=self.top_n, model_name=name)
        )
        payload = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: name,
            EventPayload.QUERY_STR: query,
            EventPayload.TOP_K: self.top_n,
        }
        found: list[NodeWithScore] = []
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            yield found
            event.on_end(payload={EventPayload.NODES: found})
        _dispatcher.event(ReRankEndEvent(nodes=found))

    def _kept(
        self, nodes: Sequence[NodeWithScore], ranked: Sequence[RankedDocument[str]]
    ) -> list[NodeWithScore]:
        kept = []
        for hit in best(ranked, self.top_n, self.score_threshold):
            given = nodes[hit.index]
            node = given.node
            if self.keep_retrieval_score:
                node = node.model_copy(
                    update={"metadata": {**node.metadata, "retrieval_score": given.score}}
                )
            kept.append(NodeWithScore(node=node, score=hit.score))
        return kept

    def _model(self) -> SharedModel:
        """Return the model that the fields ask for: they may have been set anew."""
        self._shared = asked_of(self, self._shared)
        return self._shared


def _texts(nodes: Sequence[NodeWithScore]) -> list[str]:
    return [one.node.get_content(metadata_mode=MetadataMode.EMBED) for one in nodes]
