"""Cuts many texts into calls of a library, which an interrupt waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# The libraries encode a million characters in 0.1 to 0.3 s.
_CHARACTERS = 1 << 20


def calls(sizes: Sequence[int], most: int) -> Iterator[slice]:
    """Return slices of up to ``most`` texts, which are not long together unless one alone is.

    ``sizes`` are how many characters of each text are read.
    """
    start = characters = 0
    for place, size in enumerate(sizes):
        characters += size
        if place - start == most or (characters > _CHARACTERS and place > start):
            yield slice(start, place)
            start, characters = place, size
    yield slice(start, len(sizes))
