"""Pairs of texts, and what the model reads of them: the values that go from room to room."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_rerank.errors import InputError, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Pair = tuple[str, str]
"""A query and a document."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, eq=False)
class TokenizedBatch:
    """Pairs as the model reads them: special tokens included, one after the other, not padded.

    Tokenizers make it and engines read it, as the C interface does: arrays in C order, and no
    Python object for each token or pair.
    """

    ids: NDArray[np.int32]
    """The token ids of all pairs, ``[tokens]``."""
    offsets: NDArray[np.int64]
    """Pair ``i`` has the ids from ``offsets[i]`` up to ``offsets[i + 1]``; ``[pairs + 1]``."""
    first_segments: NDArray[np.int32]
    """How many ids of each pair, from its start, have token type 0; the rest have type 1."""
    truncated: NDArray[np.bool_]
    """True for each pair whose query or document did not fit whole."""

    def __post_init__(self) -> None:
        """Raise InputError for arrays of another type, or whose lengths contradict each other."""
        pairs = len(self.offsets) - 1
        _check_array("offsets", self.offsets, "int64", max(pairs, 0) + 1)
        if self.offsets[0] != 0 or (self.offsets[1:] < self.offsets[:-1]).any():
            raise InputError("offsets must begin with 0 and never fall")
        _check_array("ids", self.ids, "int32", int(self.offsets[-1]))
        _check_array("first_segments", self.first_segments, "int32", pairs)
        _check_array("truncated", self.truncated, "bool", pairs)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.truncated)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many tokens each pair has."""
        return self.offsets[1:] - self.offsets[:-1]

    def ids_of(self, index: int) -> NDArray[np.int32]:
        """Return the token ids of one pair, without copying them."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def part(self, start: int, stop: int) -> TokenizedBatch:
        """Return the pairs from ``start`` up to ``stop``, without copying their ids."""
        offsets = self.offsets[start : stop + 1]
        return TokenizedBatch(
            ids=self.ids[offsets[0] : offsets[-1]],
            offsets=offsets - offsets[0],
            first_segments=self.first_segments[start:stop],
            truncated=self.truncated[start:stop],
        )

    def take(self, places: Sequence[int] | NDArray[np.intp]) -> TokenizedBatch:
        """Return copies of the pairs at ``places``, in that order."""
        import numpy as np

        chosen = np.asarray(places, np.intp)
        lengths, starts = self.lengths[chosen], self.offsets[:-1][chosen]
        offsets = offsets_of(lengths)
        tokens = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return TokenizedBatch(
            ids=self.ids[tokens],
            offsets=offsets,
            first_segments=self.first_segments[chosen],
            truncated=self.truncated[chosen],
        )


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each of the pairs begins, and the last one ends, from their lengths."""
    import numpy as np

    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def check_text(text: object, what: str, index: int | None = None) -> str:
    """Return ``text``; raises InputError unless it is a string of real characters.

    ``what`` names it, and ``index`` is the place of its pair or document. A string of another
    type, such as numpy's or an enumeration's, is returned as a plain one.
    """
    if not isinstance(text, str):
        raise InputError(f"{what} is {shown(text)}; expected a string", index=index)
    # Not by encoding it: the tokenizer does that, once.
    found = None if text.isascii() else _LONE_SURROGATE.search(text)
    if found is not None:
        raise InputError(
            f"{what} holds the lone surrogate {found[0]!a} at character {found.start()}, "
            "which is not text; decode the source with errors='replace'",
            index=index,
        )
    return text if type(text) is str else str.__str__(text)


def check_pairs(pairs: Sequence[Pair]) -> None:
    """Raise InputError, naming the place, for a pair whose texts are not text."""
    for index, (query, document) in enumerate(pairs):
        check_text(query, f"pair {index}: the query", index)
        check_text(document, f"pair {index}: the document", index)


def _check_array(name: str, array: NDArray[Any], kind: str, length: int) -> None:
    found = (array.dtype.name, array.shape, array.flags.c_contiguous)
    if found != (kind, (length,), True):
        order = "" if found[2] else ", not contiguous"
        raise InputError(
            f"{name} is {found[0]} of shape {found[1]}{order}; "
            f"expected contiguous {kind} of shape ({length},)"
        )
