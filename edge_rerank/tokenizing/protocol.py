"""The seam between checked pairs of texts and what makes token ids of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge_rerank.description import TokenizerName
    from edge_rerank.pairs import Pair, TokenizedBatch


class Tokenizer(Protocol):
    """Encodes pairs; safe to use from several threads at once."""

    @property
    def name(self) -> TokenizerName:
        """The name it is asked for by."""

    def encode(self, pairs: Sequence[Pair]) -> TokenizedBatch:
        """Encode pairs of texts that hold no lone surrogates, in order.

        Raises TokenizerError when the tokenizer fails on a text.
        """
