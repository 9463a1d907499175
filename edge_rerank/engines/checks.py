"""Checks of what goes into an engine, in the same words whatever the engine."""

from __future__ import annotations

from collections.abc import Sequence

from edge_rerank.errors import InputError
from edge_rerank.pairs import TokenizedPair


def check_pairs(pairs: Sequence[TokenizedPair], *, max_length: int, vocabulary: int) -> None:
    """Raise InputError for a pair without tokens, with too many, or with an unknown token id."""
    for index, pair in enumerate(pairs):
        if not 1 <= len(pair.ids) <= max_length:
            raise InputError(f"pair {index} has {len(pair.ids)} tokens; expected 1 to {max_length}")
        low, high = min(pair.ids), max(pair.ids)
        if low < 0 or high >= vocabulary:
            raise InputError(
                f"pair {index} has the token id {low if low < 0 else high}; the model's "
                f"vocabulary has 0 to {vocabulary - 1}: the tokenizer is another model's"
            )
