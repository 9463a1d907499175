"""Checks of what goes into an engine, in the same words whatever the engine."""

from __future__ import annotations

import numpy as np

from edge_rerank.errors import InputError
from edge_rerank.pairs import TokenizedBatch


def check_batch(batch: TokenizedBatch, *, max_length: int, vocabulary: int) -> None:
    """Raise InputError for a pair without tokens, with too many, or with an unknown token id."""
    lengths = batch.lengths
    wrong = (lengths < 1) | (lengths > max_length)
    if wrong.any():
        index = int(wrong.argmax())
        raise InputError(
            f"pair {index} has {lengths[index]} tokens; expected 1 to {max_length}", index=index
        )
    # As unsigned numbers, those below zero are above all others.
    unknown = batch.ids.view(np.uint32) >= vocabulary
    if unknown.any():
        place = int(unknown.argmax())
        index = int(np.searchsorted(batch.offsets, place, side="right")) - 1
        raise InputError(
            f"pair {index} has the token id {batch.ids[place]}; the model's vocabulary has 0 to "
            f"{vocabulary - 1}: the tokenizer is another model's",
            index=index,
        )
