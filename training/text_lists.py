"""Lists of texts that answer a query, or seem to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class TextLists:
    """texts, queries; rows[i]: positions in ``texts`` for query i, the answer's first."""

    texts: list[str]
    queries: list[str]
    rows: np.ndarray


@dataclass
class TextListsInMaking:
    """The same as they come; a text that comes again keeps its place."""

    queries: list[str] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def add(self, query: str, texts: Sequence[str]) -> None:
        """A list, its answer first; all lists have as many texts."""
        self.queries.append(query)
        self.rows.append([self.places.setdefault(text, len(self.places)) for text in texts])

    def made(self) -> TextLists:
        """All of them."""
        return TextLists(list(self.places), self.queries, np.array(self.rows, dtype=np.int64))
