"""Texts cut to a number of tokens, or to their end, before the model reads them.

The cut lies where the text's beginning (or end) has the most tokens that are allowed; it is found
by halving, so that any tokenizer will do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_rerank.pairs import Pair
from edge_rerank.server.errors import InvalidError
from edge_rerank.server.shapes.work import Cutting
from edge_rerank.tokenizing.choose import PairTokenizer


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts pairs as a request asks for."""

    tokenizer: PairTokenizer

    def needed(self, cutting: Cutting) -> bool:
        """Say whether :meth:`cut` could change a pair."""
        most = self.tokenizer.max_length
        limits = (cutting.query_tokens, cutting.document_tokens)
        return cutting.keep_end or any(limit is not None and limit < most for limit in limits)

    def cut(self, pairs: list[Pair], cutting: Cutting) -> list[Pair]:
        """Return the pairs with texts as they are to be read."""
        queries = {query: self._first(query, cutting.query_tokens) for query, _ in pairs}
        shortened = [
            (queries[query], self._first(document, cutting.document_tokens))
            for query, document in pairs
        ]
        if not cutting.keep_end:
            return shortened
        return [
            (query, self._end(query, document, f"text {index}"))
            for index, (query, document) in enumerate(shortened)
        ]

    def _first(self, text: str, tokens: int | None) -> str:
        """Return as much of the beginning as has no more than ``tokens``."""
        if tokens is None or tokens >= self.tokenizer.max_length:
            return text
        whole = tokens + self._length("", "")

        def fits(size: int) -> bool:
            return self._length("", text[:size]) <= whole

        return text[: _most(len(text), fits)]

    def _end(self, query: str, document: str, where: str) -> str:
        """Return as much of the end as fits beside the query."""

        def fits(size: int) -> bool:
            kept = document[len(document) - size :]
            return not self.tokenizer.encode([(query, kept)]).truncated[0]

        if not fits(0):
            raise InvalidError(f"the query leaves no room for the end of {where}; shorten it")
        return document[len(document) - _most(len(document), fits) :]

    def _length(self, query: str, document: str) -> int:
        encoded = self.tokenizer.encode([(query, document)])
        return int(encoded.lengths[0]) + bool(encoded.truncated[0])


def _most(most: int, fits: Callable[[int], bool]) -> int:
    """Return the largest size up to ``most`` that fits; 0 is taken to fit."""
    if fits(most):
        return most
    low = 0
    while most - low > 1:
        middle = (low + most) // 2
        if fits(middle):
            low = middle
        else:
            most = middle
    return low
