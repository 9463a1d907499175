"""Texts cut to a number of tokens, or to their end, before the model reads them."""

from __future__ import annotations

from dataclasses import dataclass

from edge_rerank.pairs import Pair
from edge_rerank.server.errors import InvalidError
from edge_rerank.server.job import CutError
from edge_rerank.server.shapes.work import Cutting
from edge_rerank.windows.counting import Counter, largest


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts pairs as a request asks for."""

    counter: Counter

    def needed(self, cutting: Cutting) -> bool:
        """Say whether :meth:`cut` could change a pair."""
        most = self.counter.room
        limits = (cutting.query_tokens, cutting.document_tokens)
        return cutting.keep_end or any(limit is not None and limit <= most for limit in limits)

    def cut(self, pairs: list[Pair], cutting: Cutting) -> list[Pair]:
        """Return the pairs with texts as they are to be read.

        Raises CutError for an end that is not the whole text where the request forbids that.
        """
        queries = {query: self._first(query, cutting.query_tokens) for query, _ in pairs}
        shortened = [
            (queries[query], self._first(document, cutting.document_tokens))
            for query, document in pairs
        ]
        if not cutting.keep_end:
            return shortened
        ends = [
            (query, self._end(query, document, f"text {index}"))
            for index, (query, document) in enumerate(shortened)
        ]
        if cutting.refuse:
            for index, (_, end) in enumerate(ends):
                if len(end) < len(shortened[index][1]):
                    raise CutError(index)
        return ends

    def _first(self, text: str, tokens: int | None) -> str:
        """Return as much of the beginning as has no more than ``tokens``."""
        return text if tokens is None else self.counter.beginning(text, tokens)

    def _end(self, query: str, document: str, where: str) -> str:
        """Return as much of the end as fits beside the query."""

        def fits(size: int) -> bool:
            return self.counter.fit(query, [document[len(document) - size :]])

        if not fits(0):
            raise InvalidError(f"the query leaves no room for the end of {where}; shorten it")
        return document[len(document) - largest(len(document), fits) :]
