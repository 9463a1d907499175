"""From a query and a long document to windows: pairs that fit whole into the model.

Sentences are counted alone and put together while there is room. What they have together can be
more than the sum, so every window is encoded with its query, and where one does not fit, all are
made again with less room: no window is ever cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from edge_rerank.pairs import Pair
from edge_rerank.windows.counting import Counter
from edge_rerank.windows.options import Reading, Windows
from edge_rerank.windows.splitting import Piece, halves, pieces

_QUERIES = 1024
_PIECES_AT_A_TIME = 128
_SURELY_LONG = 32
"""Characters a token, of which text has fewer: the whole is not encoded to see that."""
_LONGEST_PIECE = 8
"""Characters a token of a window's half, beyond which a sentence is halved without counting."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the model is to read of one query and document."""

    pairs: tuple[Pair, ...]
    spans: tuple[tuple[int, int], ...] | None
    """Where each pair's document lies in the whole one, in characters; None without windows."""
    unread: bool
    """A part of the query or of the document is in none of the pairs."""
    as_limited: bool = False
    """What is unread lies behind :attr:`Reading.document_max_tokens`, all of it."""


@dataclass(frozen=True, slots=True)
class _Query:
    text: str
    cut: bool
    room: int
    """Tokens that it leaves to a document."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A piece that is short enough for a window."""

    piece: Piece
    tokens: int


class Planner:
    """Plans pairs for one tokenizer. The same pair always has the same plan."""

    def __init__(self, counter: Counter, reading: Reading) -> None:
        self._counter = counter
        self._reading = reading
        self._query = lru_cache(_QUERIES)(self._shortened)

    def plan(self, query: str, document: str) -> Plan:
        """Plan one pair; raises what the tokenizer raises."""
        windows, budget = self._reading.windows, self._reading.query_max_tokens
        if windows is not None and budget is None and self._fits(query, document):
            return Plan(((query, document),), ((0, len(document)),), False)
        asked = self._query(query)
        if windows is None:
            return Plan(((asked.text, document),), None, asked.cut)
        spans, unread, more = self._spans(asked, document, windows)
        pairs = tuple((asked.text, document[start:end]) for start, end in spans)
        unread = asked.cut or unread
        return Plan(pairs, tuple(spans), unread or more, as_limited=more and not unread)

    def _fits(self, query: str, document: str) -> bool:
        counter = self._counter
        short = len(document) <= counter.room * _SURELY_LONG
        return short and counter.fit(query, [document])

    def _shortened(self, query: str) -> _Query:
        counter, budget = self._counter, self._reading.query_max_tokens
        if budget is None:
            budget = max(1, counter.room // 2)
        text = counter.beginning(query, budget)
        room = max(1, counter.room - counter.tokens([text])[0])
        return _Query(text, len(text) < len(query), room)

    def _spans(
        self, query: _Query, document: str, windows: Windows
    ) -> tuple[list[tuple[int, int]], bool, bool]:
        """Return where the windows lie, whether there were too many, and more than the limit."""
        if self._fits(query.text, document):
            return [(0, len(document))], False, False
        room = query.room
        while True:
            units = _Taken(self._units(document, room), self._reading.document_max_tokens)
            spans, unread = _packed(units, room, windows)
            if not spans:
                return [(0, len(document))], False, False  # all blank
            texts = [document[start:end] for start, end in spans]
            if room == 1 or self._counter.fit(query.text, texts):
                return spans, unread, units.more
            room -= max(1, room // 8)

    def _units(self, document: str, room: int) -> Iterator[_Unit]:
        """Yield pieces of up to half a window: longer ones would leave windows half empty."""
        limit = max(1, room // 2)
        return self._counted(document, pieces(document, limit * _LONGEST_PIECE), limit)

    def _counted(self, document: str, found: Iterable[Piece], limit: int) -> Iterator[_Unit]:
        rest = iter(found)
        while some := list(islice(rest, _PIECES_AT_A_TIME)):
            counts = self._counter.tokens([piece.text(document) for piece in some])
            for piece, tokens in zip(some, counts, strict=True):
                if tokens <= limit or piece.next - piece.start == 1:
                    yield _Unit(piece, tokens)
                else:
                    yield from self._counted(document, halves(document, piece), limit)


class _Taken:
    """Units of up to so many tokens together, one at least."""

    def __init__(self, units: Iterator[_Unit], most: int | None) -> None:
        self._units, self._most = units, most
        self.more = False
        """There were others."""

    def __iter__(self) -> Iterator[_Unit]:
        tokens = 0
        for unit in self._units:
            self.more = self._most is not None and tokens > 0 and tokens + unit.tokens > self._most
            if self.more:
                return
            tokens += unit.tokens
            yield unit


def _packed(
    units: Iterable[_Unit], room: int, windows: Windows
) -> tuple[list[tuple[int, int]], bool]:
    """Put units together, the last ones of a window into the next one again."""
    again = int(room * windows.overlap)
    window: deque[_Unit] = deque()
    used = 0
    spans: list[tuple[int, int]] = []
    for unit in units:
        if window and used + unit.tokens > room:
            spans.append((window[0].piece.start, window[-1].piece.end))
            if len(spans) == windows.max_windows:
                return spans, True
            while window and (used > again or used + unit.tokens > room):
                used -= window.popleft().tokens
        window.append(unit)
        used += unit.tokens
    if window:
        spans.append((window[0].piece.start, window[-1].piece.end))
    return spans, False
