"""Texts cut where a reader would pause: at sentences and lines, or else between words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Every alternative looks at a few characters before the blanks alone, so that time stays linear
# in whatever text there is.
_ENDS = re.compile(
    r"(?<=[.!?…])[\"'”’»)\]]{0,3}\s+"  # noqa: RUF001 - a sentence
    r"|(?<=[。！？｡])[」』”’）]{0,3}\s*"  # noqa: RUF001 - in Chinese and Japanese
    r"|\n\s*"  # a line
)
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, from ``start`` up to where the next one starts."""

    start: int
    end: int
    """Where its last character that is no blank ends."""
    next: int

    def text(self, whole: str) -> str:
        """Return its characters, the blanks behind it included."""
        return whole[self.start : self.next]


def pieces(text: str, longest: int) -> Iterator[Piece]:
    """Yield sentences and lines, in order; those of over ``longest`` characters in parts.

    Together they are the text, but for blanks at its beginning. What is all blank has none.
    """
    start = len(text) - len(text.lstrip())
    for found in _ENDS.finditer(text, start):
        if found.end() > start:
            yield from _parts(text, start, found.end(), longest)
            start = found.end()
    yield from _parts(text, start, len(text), longest)


def halves(text: str, piece: Piece) -> Iterator[Piece]:
    """Yield a piece's two halves, cut between words if there are two; a character stays whole."""
    middle = _middle(text, piece.start, piece.next)
    yield from _piece(text, piece.start, middle)
    yield from _piece(text, middle, piece.next)


def _parts(text: str, start: int, stop: int, longest: int) -> Iterator[Piece]:
    if stop - start <= longest:
        yield from _piece(text, start, stop)
        return
    middle = _middle(text, start, stop)
    yield from _parts(text, start, middle, longest)
    yield from _parts(text, middle, stop, longest)


def _piece(text: str, start: int, stop: int) -> Iterator[Piece]:
    end = start + len(text[start:stop].rstrip())
    if end > start:
        yield Piece(start, end, stop)


def _middle(text: str, start: int, stop: int) -> int:
    """Return the word's beginning that is nearest to the middle, or else the middle itself."""
    middle = (start + stop) // 2
    begins = (found.end() for found in _BLANKS.finditer(text, start, stop))
    inside = [place for place in begins if start < place < stop]
    return min(inside, key=lambda place: abs(place - middle), default=middle)
