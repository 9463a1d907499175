"""Judged queries: what is trained on, and what is measured on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

GRADED, BINARY, PAIRS = "graded", "binary", "pairs"


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query and its passages."""

    text: str
    place: str
    """``FILE:LINE`` where it was first met."""
    grades: Mapping[str, float]
    """The judged passages; above 0 is relevant."""
    mined: tuple[str, ...] = field(default=())
    """Passages that BM25 found for it, best first, and nobody judged: taken as not relevant."""
    strange: tuple[str, ...] = field(default=())
    """Passages of the collection that were drawn at random, and are taken so as well."""
    found: Mapping[str, float] = field(default_factory=dict)
    """BM25's score of each passage, where they are what a search of the collection found."""
    targets: Mapping[str, float] = field(default_factory=dict)
    """What the teacher says of each passage, where there is one: a logit."""

    @property
    def passages(self) -> tuple[str, ...]:
        """All of them, the judged ones first."""
        return (*self.grades, *self.mined, *self.strange)

    @property
    def relevant(self) -> tuple[str, ...]:
        """The relevant ones."""
        return tuple(text for text, grade in self.grades.items() if grade > 0)

    @property
    def tells(self) -> bool:
        """Whether one ranking of its passages is better than another."""
        grades = {*self.grades.values()} | ({0.0} if self.mined or self.strange else set())
        return max(grades, default=0.0) > 0 and len(grades) > 1


@dataclass(frozen=True, slots=True)
class Judged:
    """The judged queries of a file."""

    name: str
    kind: str
    """GRADED, BINARY or PAIRS: what the grades are."""
    queries: tuple[JudgedQuery, ...]

    def sha256(self) -> str:
        """Return a checksum of all texts and grades."""
        rows = [
            [query.text, list(query.grades.items()), query.mined, query.strange]
            for query in self.queries
        ]
        text = json.dumps([self.kind, rows])
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def highest(self) -> float:
        """The highest grade."""
        return max((max(query.grades.values(), default=0.0) for query in self.queries), default=1.0)

    @property
    def relevant(self) -> int:
        """How many passages are relevant to a query."""
        return sum(len(query.relevant) for query in self.queries)
