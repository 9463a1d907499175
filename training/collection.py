"""Queries to measure on, each with BM25's best passages in their order."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import TrainingError
from .mining import Bm25, sources_in
from .passages import Passage
from .queries import Query
from .teacher import embed

DEPTH = 100


@dataclass(frozen=True)
class Collection:
    """grades: for each query, the graded passages by position. Vectors are the bi-encoder's.

    candidates [queries, depth]: positions of the passages to rank, in the first stage's order.
    """

    name: str
    passages: list[str]
    queries: list[str]
    grades: list[dict[int, int]]
    passage_vectors: np.ndarray
    query_vectors: np.ndarray
    candidates: np.ndarray


def first_stage(passages: Sequence[str], queries: Sequence[str]) -> np.ndarray:
    """Positions [queries, DEPTH] of BM25's best passages; fewer columns where there are fewer."""
    found, _ = Bm25(passages).top(queries, DEPTH)
    return found


def held_out_collections(
    passages: Sequence[Passage],
    queries: Sequence[Query],
    passage_vectors: np.ndarray,
    query_vectors: np.ndarray,
    most: int,
    seed: int,
) -> list[Collection]:
    """For each source, up to most held-out queries over all its passages, trained on or not."""
    made: list[Collection] = []
    for source in sources_in(passages):
        members = [i for i, passage in enumerate(passages) if passage.source == source]
        position = {index: place for place, index in enumerate(members)}
        asked = np.array([i for i, q in enumerate(queries) if q.source == source and q.held_out])
        if not len(asked):
            continue  # A source of few documents can lie on one side of the split.
        if len(asked) > most:
            asked = np.sort(np.random.default_rng(seed).choice(asked, most, replace=False))
        made.append(
            Collection(
                source,
                [passages[i].text for i in members],
                [queries[i].text for i in asked],
                [{position[p]: 1 for p in queries[i].relevant} for i in asked],
                passage_vectors[members],
                query_vectors[asked],
                first_stage([passages[i].text for i in members], [queries[i].text for i in asked]),
            )
        )
    return made


def beir_collection(folder: Path, say: Callable[[str], None]) -> Collection:
    """A folder with corpus.jsonl, queries.jsonl and qrels.tsv. For evaluation only."""
    needed = [folder / name for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv")]
    missing = [path.name for path in needed if not path.is_file()]
    if missing:
        raise TrainingError(f"{folder.name} lacks {', '.join(missing)}")
    corpus = [json.loads(line) for line in needed[0].read_text("utf-8").splitlines()]
    asked = [json.loads(line) for line in needed[1].read_text("utf-8").splitlines()]
    place = {row["_id"]: i for i, row in enumerate(corpus)}
    grades: dict[str, dict[int, int]] = {}
    for line in needed[2].read_text("utf-8").splitlines():
        query, passage, grade = line.split("\t")
        # The first line names the columns, in most collections of this layout.
        if grade.lstrip("-").isdigit() and passage in place:
            grades.setdefault(query, {})[place[passage]] = int(grade)
    asked = [row for row in asked if row["_id"] in grades]
    texts = [f"{row.get('title', '')} {row['text']}".strip() for row in corpus]
    questions = [row["text"] for row in asked]
    return Collection(
        folder.name,
        texts,
        questions,
        [grades[row["_id"]] for row in asked],
        embed(texts, say),
        embed(questions, say),
        first_stage(texts, questions),
    )
