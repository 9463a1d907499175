"""Runs in TREC's format: what a system ranked for each query, a line for each document.

    QUERY Q0 DOCUMENT RANK SCORE TAG

separated by blanks or tabs. As trec_eval does, documents are ordered by their score; the rank
decides between equal scores alone.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from edge_rerank.errors import InputError, shown
from edge_rerank.evaluation.collection import Collection
from edge_rerank.evaluation.figures import Measured
from edge_rerank.files import whole_file
from edge_rerank.reading.lines import open_lines

_COLUMNS = "six columns: query id, Q0, document id, rank, score, tag"
_BLANK = re.compile(r"\s")
_NOT_IN_FILES = re.compile(r"[^\w.+-]+")

Ranked = Sequence[tuple[str, float]]
"""Documents and their scores, best first."""


def read_run(name: str | os.PathLike[str], collection: Collection) -> dict[str, list[str]]:
    """Return the documents of each of the collection's queries, best first.

    Lines of other queries are left out; a query without lines has no documents. Raises InputError
    that names the line for what is not a run of this collection.
    """
    name = os.fspath(name)
    found: dict[str, dict[str, tuple[float, int]]] = {query: {} for query in collection.queries}
    lines = 0
    with open_lines(name) as opened:
        for place, line in opened:
            if not line.strip():
                continue
            lines += 1
            query, document, key = _entry(line, place)
            documents = found.get(query)
            if documents is None:
                continue
            if document in documents:
                raise InputError(
                    f"{place}: query {shown(query)} has the document {shown(document)} twice"
                )
            if document not in collection.documents:
                raise InputError(
                    f"{place}: corpus.jsonl has no document {shown(document)}; is this a run of "
                    f"another collection than {collection.name}?"
                )
            documents[document] = key
    if not lines:
        raise InputError(f"{name}: is empty; a run has {_COLUMNS}")
    if not any(found.values()):
        raise InputError(
            f"{name}: ranks nothing for any judged query of {collection.name}; "
            "are its query ids those of another collection?"
        )
    return {query: sorted(ranked, key=ranked.__getitem__) for query, ranked in found.items()}


def _entry(line: str, place: str) -> tuple[str, str, tuple[float, int]]:
    """Return query, document and what the document is ordered by."""
    fields = line.split()
    if len(fields) != 6:
        count = "1 column" if len(fields) == 1 else f"{len(fields)} columns"
        raise InputError(f"{place}: {shown(line)} has {count}; a run has {_COLUMNS}")
    query, _, document, rank, score, _ = fields
    try:
        value = float(score)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise InputError(f"{place}: the score {shown(score)} is not a number")
    if not re.fullmatch(r"-?\d{1,18}", rank, re.ASCII):
        raise InputError(f"{place}: the rank {shown(rank)} is not a whole number")
    return query, document, (-value, int(rank))


class RunFolder:
    """A folder that gets the run of each system when it is whole."""

    def __init__(self, folder: str | os.PathLike[str], collection: Collection) -> None:
        """Make the folder if it is not there; raises InputError where no run could be written."""
        self._folder = Path(folder)
        self._written: set[str] = set()
        _check_names(collection)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=self._folder).close()
        except OSError as error:
            raise InputError(
                f"{self._folder}: runs cannot be written there: {error.strerror}"
            ) from error

    def write(self, measured: Measured, first_stage: str | None = None) -> None:
        """Write a system's run, named after it and, if there are several, its first stage."""
        parts = [part for part in (measured.name, first_stage) if part is not None]
        stem = ".".join(_NOT_IN_FILES.sub("-", part).strip("-.")[:80] or "run" for part in parts)
        name, number = f"{stem}.trec", 1
        while name.lower() in self._written:
            number += 1
            name = f"{stem}-{number}.trec"
        self._written.add(name.lower())
        write_run(self._folder / name, measured.rankings, measured.name)


def _check_names(collection: Collection) -> None:
    """Raise InputError for ids that a line of six columns cannot hold, before any work."""
    for what, names in (("query", collection.queries), ("document", collection.documents)):
        bad = next((name for name in names if not name or _BLANK.search(name)), None)
        if bad is not None:
            raise InputError(
                f"{collection.name}: the {what} id {shown(bad)} is empty or has a blank in it, "
                "which a run cannot hold; leave out the folder for runs (output_runs)"
            )


def write_run(path: Path, rankings: Mapping[str, Ranked], tag: str) -> None:
    """Write a run, whole or not at all; raises OSError.

    Scores fall from line to line, by the smallest step where the system's own are equal or were not
    what it ordered by: readers order by them.
    """
    tag = _BLANK.sub("_", tag) or "run"
    with whole_file(path) as stream:
        for query, ranked in rankings.items():
            scores = _falling([score for _, score in ranked])
            for rank, ((document, _), score) in enumerate(zip(ranked, scores, strict=True), 1):
                line = f"{query} Q0 {document} {rank} {score:.9g} {tag}\n"
                stream.write(line.encode("utf-8"))


def _falling(scores: Sequence[float]) -> list[float]:
    import numpy as np

    found: list[float] = []
    last = np.float32(np.inf)
    for score in scores:
        last = min(np.float32(score), np.nextafter(last, np.float32(-np.inf)))
        found.append(float(last))
    return found
