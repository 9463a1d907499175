"""A test collection in the BEIR layout: documents, queries, and judgements of relevance.

``corpus.jsonl`` has objects with ``_id``, ``text`` and, often, ``title``; ``queries.jsonl`` has
``_id`` and ``text``; ``qrels.tsv`` (or ``qrels/test.tsv``, as BEIR itself distributes it) has query
id, document id and grade, separated by tabs, with or without a line of column names. Ids are
strings or whole numbers. Each file may be compressed with gzip, ``corpus.jsonl.gz``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_rerank.errors import InputError, shown
from edge_rerank.pairs import check_text
from edge_rerank.reading.entries import JSONL, open_entries
from edge_rerank.reading.lines import open_lines
from edge_rerank.reading.objects import Number

_WHOLE = re.compile("-?[0-9]+")
_CORPUS = "corpus.jsonl"
_QRELS = ("qrels.tsv", "qrels/test.tsv")
_NAMES = ("score", "relevance", "grade", "label")  # of the last column
_LAYOUT = "a collection has corpus.jsonl, queries.jsonl and qrels.tsv (the BEIR layout)"


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents and queries by id, and the judgements of each query."""

    name: str
    documents: Mapping[str, str]
    """Title and text, joined by a space, as BEIR's own baselines read them."""
    queries: Mapping[str, str]
    """Only those with a relevant document: without one, no ranking is better than another."""
    judgements: Mapping[str, Mapping[str, int]]
    """For each of those queries, the grade of each judged document; above 0 is relevant."""


def read_collection(folder: str | os.PathLike[str]) -> Collection:
    """Read a collection; raises InputError that names the file, the line and the remedy."""
    root = Path(folder)
    corpus, queries, qrels = _paths(root)
    documents = dict(read_texts(corpus, title=True))
    asked = dict(read_texts(queries, title=False))
    judgements = _judgements(qrels)
    chosen = {
        query: grades
        for query, grades in judgements.items()
        if query in asked and any(grade > 0 for grade in grades.values())
    }
    if not chosen:
        raise InputError(
            f"{qrels}: judges no query of {queries.name} relevant to anything; "
            "are its ids those of another collection?"
        )
    _check_documents(qrels, chosen, documents)
    return Collection(
        name=root.resolve().name,
        documents=documents,
        queries={query: asked[query] for query in chosen},
        judgements=chosen,
    )


def corpus_file(root: Path) -> Path:
    """Return where a collection's documents are, or would be."""
    return _path(root, _CORPUS)


def _paths(root: Path) -> tuple[Path, Path, Path]:
    paths = tuple(_path(root, *names) for names in ((_CORPUS,), ("queries.jsonl",), _QRELS))
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise InputError(f"{root}: has no {' and no '.join(missing)}; {_LAYOUT}")
    return paths[0], paths[1], paths[2]


def _path(root: Path, *names: str) -> Path:
    """Return the first of the files that is there, as it is or compressed; or else the first."""
    paths = [root / f"{name}{ending}" for name in names for ending in ("", ".gz")]
    return next((path for path in paths if path.is_file()), paths[0])


def read_texts(path: Path, *, title: bool) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of each line, with its title in front if wanted; ids must differ."""
    seen: set[str] = set()
    with open_entries(str(path), JSONL) as entries:
        for entry in entries:
            value, place = entry.record(), entry.place
            name = _id(value, place)
            if name in seen:
                raise InputError(f"{place}: the _id {shown(name)} occurs a second time")
            seen.add(name)
            heading = _text(value, "title", place) if title and value.get("title") else ""
            yield name, f"{heading} {_text(value, 'text', place)}".strip()


def _id(value: Mapping[str, Any], place: str) -> str:
    """Return the id; one that is a whole number is what the judgements have as text."""
    found = value.get("_id")
    if isinstance(found, Number) and _WHOLE.fullmatch(found.text):
        return found.text
    return _text(value, "_id", place)


def _text(value: Mapping[str, Any], field: str, place: str) -> str:
    if field not in value:
        fields = ", ".join(value) or "none"
        raise InputError(f"{place}: no field {field!r}, only {fields}; {_LAYOUT}")
    check_text(value[field], f"{place}: {field!r}")
    return str(value[field])


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    judgements: dict[str, dict[str, int]] = {}
    with open_lines(str(path)) as lines:
        for number, (place, line) in enumerate(lines):
            fields = line.split("\t")
            if not line.strip() or (number == 0 and fields[-1].strip().lower() in _NAMES):
                continue
            if len(fields) != 3 or not fields[2].strip().removeprefix("-").isdecimal():
                raise InputError(
                    f"{place}: {shown(line)} is not query id, document id and a whole number, "
                    "separated by tabs"
                )
            query, document, grade = fields[0].strip(), fields[1].strip(), int(fields[2])
            if judgements.setdefault(query, {}).setdefault(document, grade) != grade:
                raise InputError(
                    f"{place}: query {shown(query)} and document {shown(document)} have the grade "
                    f"{grade}, and another one in a line before; keep one of them"
                )
    return judgements


def _check_documents(
    path: Path, judgements: Mapping[str, Mapping[str, int]], documents: Mapping[str, str]
) -> None:
    """Refuse judgements of documents that are not there: every figure would be too low."""
    for query, grades in judgements.items():
        for document, grade in grades.items():
            if grade > 0 and document not in documents:
                raise InputError(
                    f"{path}: query {shown(query)} has the relevant document {shown(document)}, "
                    "which corpus.jsonl does not have; use the whole corpus, or remove the line"
                )
