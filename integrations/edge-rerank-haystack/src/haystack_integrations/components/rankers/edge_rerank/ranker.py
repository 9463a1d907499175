"""A ranker: documents in, the best of them out, each with its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from haystack import Document, component, default_from_dict, default_to_dict

from edge_rerank import RankedDocument
from edge_rerank.adapters import asked_of, best


@component
class EdgeRerankRanker:
    """Ranks documents by how well they answer the query.

    Documents that come in are left as they are; of those with the same id the best one is kept.
    The model is opened by ``warm_up`` or the first run, and once for all rankers of a process with
    the same settings.
    """

    def __init__(
        self,
        model: str | None = None,
        top_k: int = 10,
        *,
        score_threshold: float | None = None,
        scale_score: bool = True,
        meta_fields_to_embed: list[str] | None = None,
        meta_data_separator: str = "\n",
        threads: int | None = None,
        max_length: int | None = None,
        long_documents: Literal["truncate", "windows"] = "truncate",
        query_max_tokens: int | None = None,
    ) -> None:
        """Take the settings; nothing is opened yet.

        Args:
            model: folder of an exported model; None is the one that comes with edge-rerank.
            top_k: most documents to return.
            score_threshold: least score of a document to return.
            scale_score: scores from 0 to 1; False gives logits.
            meta_fields_to_embed: fields of ``meta`` that are read before the content.
            meta_data_separator: what stands between them, and before the content.
            threads: how many compute; None is all that the process may use.
            max_length: most tokens of a pair; None is the model's.
            long_documents: ``windows`` reads long documents whole.
            query_max_tokens: most tokens of a query.

        Raises:
            ValueError: a setting is out of range.
        """
        _check_top_k(top_k)
        self.model = model
        self.top_k = top_k
        self.score_threshold = score_threshold
        self.scale_score = scale_score
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.meta_data_separator = meta_data_separator
        self.threads = threads
        self.max_length = max_length
        self.long_documents = long_documents
        self.query_max_tokens = query_max_tokens
        self._shared = asked_of(self, scores="sigmoid" if scale_score else "logits")

    def warm_up(self) -> None:
        """Open the model; a second call does nothing."""
        _ = self._shared.reranker

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, as pipelines save them."""
        return default_to_dict(
            self,
            model=self.model,
            top_k=self.top_k,
            score_threshold=self.score_threshold,
            scale_score=self.scale_score,
            meta_fields_to_embed=self.meta_fields_to_embed,
            meta_data_separator=self.meta_data_separator,
            threads=self.threads,
            max_length=self.max_length,
            long_documents=self.long_documents,
            query_max_tokens=self.query_max_tokens,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> EdgeRerankRanker:
        """Make a ranker of what :meth:`to_dict` returned."""
        ranker: EdgeRerankRanker = default_from_dict(cls, data)
        return ranker

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return ``documents``: the best, best first; ``top_k`` overrides the ranker's own."""
        most = self._most(top_k)
        ranked = self._shared.rank(query, self._texts(documents)) if documents else []
        return {"documents": self._kept(documents, ranked, most)}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return what :meth:`run` returns; a task that is cancelled ends the engine's work."""
        most = self._most(top_k)
        ranked = await self._shared.arank(query, self._texts(documents)) if documents else []
        return {"documents": self._kept(documents, ranked, most)}

    def _most(self, top_k: int | None) -> int:
        most = self.top_k if top_k is None else top_k
        _check_top_k(most)
        return most

    def _texts(self, documents: Sequence[Document]) -> list[str]:
        return [
            self.meta_data_separator.join(
                [
                    *(
                        str(document.meta[name])
                        for name in self.meta_fields_to_embed
                        if document.meta.get(name)
                    ),
                    document.content or "",
                ]
            )
            for document in documents
        ]

    def _kept(
        self, documents: Sequence[Document], ranked: Sequence[RankedDocument[str]], most: int
    ) -> list[Document]:
        seen: set[str] = set()
        once = []
        for hit in ranked:
            name = documents[hit.index].id
            if name not in seen:
                seen.add(name)
                once.append(hit)
        kept = best(once, most, self.score_threshold)
        return [replace(documents[hit.index], score=hit.score) for hit in kept]


def _check_top_k(top_k: int) -> None:
    if top_k <= 0:
        raise ValueError(f"top_k must be > 0, but got {top_k}")
