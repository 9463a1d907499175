"""What the adapters of bare runtimes share: tokenising, cutting into padded batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MAX_LENGTH = 512
Run = Callable[[Any, Any], Any]
"""Ids and mask, int64 of [rows, width], to logits of [rows] or [rows, 1]."""


class BatchedModel:
    """A tokenizer and a function that runs padded batches."""

    def __init__(self, tokenizer: Path, run: Run, *, order: str, rows: int) -> None:
        """Cut into batches of ``rows``, in ``arrival`` order or ``sorted`` by length."""
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_LENGTH)
        self._run, self._order, self._rows = run, order, rows

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the logits, in the pairs' order."""
        encoded = [row.ids for row in self._tokenizer.encode_batch(list(pairs))]
        logits = np.empty(len(encoded), np.float32)
        for places in cut([len(ids) for ids in encoded], self._order, self._rows):
            logits[places] = self._run(*padded([encoded[place] for place in places])).reshape(-1)
        return [float(logit) for logit in logits]

    def facts(self) -> dict[str, Any]:
        """Return nothing: a bare runtime does not say where its time goes."""
        return {}


def cut(lengths: Sequence[int], order: str, rows: int) -> Iterator[list[int]]:
    """Yield the places of each batch's texts."""
    places = list(range(len(lengths)))
    if order == "sorted":
        places.sort(key=lambda place: -lengths[place])
    for start in range(0, len(places), rows):
        yield places[start : start + rows]


def padded(rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """Return ids and mask of a batch, as wide as its longest; the padding's id is 0."""
    width = max(map(len, rows))
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros_like(ids)
    for row, values in enumerate(rows):
        ids[row, : len(values)] = values
        mask[row, : len(values)] = 1
    return ids, mask
