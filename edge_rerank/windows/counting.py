"""How many tokens a text has, asked of any tokenizer: none of them has to say where they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_rerank.tokenizing.choose import PairTokenizer


class Counter:
    """Counts tokens, and cuts texts to a number of them."""

    def __init__(self, tokenizer: PairTokenizer) -> None:
        self._tokenizer = tokenizer
        self._specials = int(tokenizer.encode([("", "")]).lengths[0])

    @property
    def room(self) -> int:
        """Most tokens that query and document have together."""
        return self._tokenizer.max_length - self._specials

    def tokens(self, texts: Sequence[str]) -> list[int]:
        """Count each text's tokens, alone; more than there is :attr:`room` for are room + 1."""
        encoded = self._tokenizer.encode([("", text) for text in texts])
        counts: list[int] = (encoded.lengths - self._specials + encoded.truncated).tolist()
        return counts

    def fit(self, query: str, documents: Sequence[str]) -> bool:
        """Say whether every document fits whole beside the query."""
        encoded = self._tokenizer.encode([(query, document) for document in documents])
        return not encoded.truncated.any()

    def beginning(self, text: str, most: int) -> str:
        """Return as much of a text's beginning as has no more than ``most`` tokens."""
        if most > self.room:
            return text
        return text[: largest(len(text), lambda size: self.tokens([text[:size]])[0] <= most)]


def largest(most: int, fits: Callable[[int], bool]) -> int:
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
