"""Plain questions of everyday knowledge, each with an answer and with sentences that mislead.

The answers are in words of their own; the other sentences use the question's words in another
sense. Candidates are those, and what BM25 finds most like the question among all the rest.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .collection import Collection
from .mining import Bm25
from .teacher import embed

FILE = Path(__file__).with_name("everyday.jsonl")
LIST_SIZE = 20


def everyday_questions(say: Callable[[str], None]) -> Collection:
    """The questions of everyday.jsonl. Candidates are in BM25's order, an answer last in a tie."""
    entries = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
    passages: list[str] = []
    own: list[tuple[int, list[int]]] = []
    for entry in entries:
        first = len(passages)
        passages += [entry["answer"], *entry["others"]]
        own.append((first, list(range(first + 1, len(passages)))))
    queries = [entry["question"] for entry in entries]
    lexicon = Bm25(passages)
    found, _ = lexicon.top(queries, LIST_SIZE)
    rows = []
    for query, (answer, others), best in zip(queries, own, found.tolist(), strict=True):
        rest = [place for place in best if place not in {answer, *others}]
        row = np.array([*others, *rest[: LIST_SIZE - 1 - len(others)], answer])
        rows.append(row[np.argsort(-lexicon.scores(query)[row], kind="stable")])
    return Collection(
        "everyday",
        passages,
        queries,
        [{answer: 1} for answer, _ in own],
        embed(passages, say),
        embed(queries, say),
        np.array(rows),
    )
