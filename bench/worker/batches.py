"""What the adapters of bare runtimes share: tokenising, cutting into padded batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

MAX_LENGTH = 512
Run = Callable[[Any, Any, Any], Any]
"""Ids, mask and token types, int64 of [rows, width], to logits of [rows] or [rows, 1]."""


class Encoded(Protocol):
    """What a pair is to the model, as the tokenizers library gives it."""

    ids: list[int]
    type_ids: list[int]


class BatchedModel:
    """A tokenizer and a function that runs padded batches."""

    def __init__(self, tokenizer: Path, run: Run, *, order: str, rows: int) -> None:
        """Cut into batches of ``rows``, in ``arrival`` order or ``sorted`` by length."""
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_LENGTH)
        self._run, self._order, self._rows = run, order, rows
        self._pad = pad_id(tokenizer.parent)

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the logits, in the pairs' order."""
        encoded = self._tokenizer.encode_batch(list(pairs))
        logits = np.empty(len(encoded), np.float32)
        for places in cut([len(row.ids) for row in encoded], self._order, self._rows):
            batch = padded([encoded[place] for place in places], self._pad)
            logits[places] = self._run(*batch).reshape(-1)
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


def padded(rows: Sequence[Encoded], pad: int = 0) -> tuple[Any, Any, Any]:
    """Return ids, mask and token types of a batch, as wide as its longest."""
    width = max(len(row.ids) for row in rows)
    ids = np.full((len(rows), width), pad, np.int64)
    mask, types = np.zeros_like(ids), np.zeros_like(ids)
    for place, row in enumerate(rows):
        length = len(row.ids)
        ids[place, :length] = row.ids
        mask[place, :length] = 1
        types[place, :length] = row.type_ids
    return ids, mask, types


def pad_id(folder: Path) -> int:
    """Return the padding's id, by the model's configuration: some count positions by it."""
    file = folder / "config.json"
    found = json.loads(file.read_text("utf-8")).get("pad_token_id") if file.is_file() else None
    return found if isinstance(found, int) else 0


def has_types(config: Any) -> bool:
    """Whether a model of transformers' configuration tells query and passage apart by types."""
    return config.model_type == "bert" and getattr(config, "type_vocab_size", 0) > 1
