"""The pairs on which activations are watched: the exporter's own, or a file of the user's.

The texts that ship were written for this project. They are combined into what a reranker is given:
a query with its passage, with another's, with the beginning of one, with several at once, and with
itself again and again. Single sentences would not do: activations of a pair look different.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edge_rerank.errors import InputError
from edge_rerank.pairs import check_text
from edge_rerank.reading.entries import Entry, open_entries

from .checkpoint import printable
from .errors import CalibrationError

Pair = tuple[str, str]

SHIPPED = Path(__file__).with_name("calibration.jsonl")
FEWEST = 16
"""Fewer pairs say too little about what a feature can be."""
_FIELDS = ("query", "document")
_EXAMPLE = '{"query": "how do plants eat", "document": "Plants make sugar from light ..."}'
_LONG_EVERY, _REPEATED_EVERY = 4, 8


@dataclass(frozen=True, slots=True)
class Calibration:
    """Pairs and where they are from."""

    pairs: tuple[Pair, ...]
    source: str
    """``built-in``, or the file's name."""
    sha256: str
    """Of the file, so that an artifact says exactly what it was calibrated on."""


def load_calibration(path: Path | None) -> Calibration:
    """Read the user's file as it is, or combine the texts that ship when ``path`` is None.

    Raises CalibrationError, naming file, line and remedy, for anything that is no pair of texts
    and for fewer than ``FEWEST`` pairs.
    """
    pairs = read_pairs(path or SHIPPED)
    digest = hashlib.sha256((path or SHIPPED).read_bytes()).hexdigest()
    if path is None:
        return Calibration(combined(pairs), "built-in", digest)
    if len(pairs) < FEWEST:
        raise CalibrationError(
            f"{path}: has {len(pairs)} pairs; expected at least {FEWEST}, better some hundreds, "
            "as varied as what the model will be given"
        )
    return Calibration(pairs, printable(path.name), digest)


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Read objects with ``query`` and ``document``: JSON Lines, a JSON array or a table."""
    try:
        with open_entries(str(path)) as entries:
            return tuple(map(_pair, entries))
    except InputError as error:
        raise CalibrationError(f"{error}; expected lines such as {_EXAMPLE}") from error


def combined(texts: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Make the pairs of the texts that ship: four a text, and more of some."""
    pairs: list[Pair] = []
    documents = [document for _, document in texts]
    for index, (query, document) in enumerate(texts):
        other, third = (documents[(index + step) % len(texts)] for step in (7, 20))
        pairs += [(query, document), (query, other), (query, f"{document} {third}")]
        pairs.append((query, " ".join(document.split()[: 3 + index % 9])))
        if index % _LONG_EVERY == 0:
            following = documents[index : index + 5] + documents[: max(0, index + 5 - len(texts))]
            pairs.append((query, " ".join(following)))
        if index % _REPEATED_EVERY == 0:
            pairs += [(query, f"{query} " * (2 + index % 11)), (query, f"{document} {query}")]
    return tuple(pairs)


def _pair(entry: Entry) -> Pair:
    value = entry.record()
    query, document = (_text(value, field, entry.place) for field in _FIELDS)
    return query, document


def _text(value: dict[str, object], field: str, place: str) -> str:
    if field not in value:
        raise InputError(f"{place}: no field {field!r}, only {', '.join(value) or 'none'}")
    text = value[field]
    check_text(text, f"{place}: {field!r}")
    if not str(text).strip():
        raise InputError(f"{place}: {field!r} is empty; remove the line")
    return str(text)
