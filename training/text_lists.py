"""Lists of texts that answer a query, or seem to."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_rerank.files import whole_file


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


def made_once(file: Path, make: Callable[[], TextLists]) -> TextLists:
    """What ``make`` gives, kept in a file of the work folder for the next run."""
    if not file.exists():
        made = make()
        content = {"texts": made.texts, "queries": made.queries, "rows": made.rows.tolist()}
        with whole_file(file) as stream:
            stream.write(json.dumps(content).encode())
    found = json.loads(file.read_text("utf-8"))
    return TextLists(found["texts"], found["queries"], np.array(found["rows"], dtype=np.int64))
