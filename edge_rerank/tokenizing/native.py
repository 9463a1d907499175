"""Encodes with the tokenizer of the native library, for the files that it knows.

Reading a vocabulary of 128,000 takes the tokenizers library a fifth of a second and a hundred
megabytes; this one takes a fifth and a tenth of that.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_rerank.description import TokenizerName
from edge_rerank.errors import ArtifactError, EngineError, TokenizerError
from edge_rerank.handles import OfThisProcess
from edge_rerank.native_library import load_library
from edge_rerank.pairs import Pair, TokenizedBatch, offsets_of
from edge_rerank.tokenizing.cutting import calls

# How many pairs at a time: room is set aside for the longest possible ones.
_AT_A_TIME = 256
# Of a long document so many characters are given first; more where that is not enough, as of one
# that is mostly white space. Most have four a token.
_CHARACTERS_OF_TOKEN, _GROWTH = 32, 8
_LEAST_CHARACTERS = 1 << 14
_GOES_ON = 2  # what the library says where it was not enough


class NativeTokenizer(OfThisProcess):
    """See :class:`edge_rerank.tokenizing.protocol.Tokenizer`."""

    name: TokenizerName = "native"

    def __init__(self, path: Path, *, max_length: int, threads: int = 1) -> None:
        """Read ``path``; no pair will have more than ``max_length`` tokens.

        Up to ``threads`` threads encode, where there is enough to do.

        Raises UnavailableError (an EngineError) when there is no library or it does not know the
        file's components, ArtifactError when the file is damaged, EngineError when there is not
        enough memory, and InputError when ``max_length`` leaves no room for a token of each text.
        """
        self._library = load_library()
        self._max_length, self._threads = max_length, threads
        self._handle = self._library.open_tokenizer(os.fsencode(path), max_length)
        free = weakref.finalize(self, self._library.close_tokenizer, self._handle)
        free.atexit = False  # the process ends with all its memory anyway

    def encode(self, pairs: Sequence[Pair]) -> TokenizedBatch:
        """Encode each pair, in order; a query met again is not encoded again.

        The library encodes a query once for documents that follow one another.
        """
        queries: dict[str, int] = {}
        which = np.array([queries.setdefault(query, len(queries)) for query, _ in pairs], np.intp)
        if (which[1:] >= which[:-1]).all():
            return self._encode(list(queries), which, [document for _, document in pairs])
        order = np.argsort(which, kind="stable")
        documents = [pairs[place][1] for place in order.tolist()]
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return self._encode(list(queries), which[order], documents).take(places)

    def _encode(
        self, queries: Sequence[str], which: NDArray[np.intp], documents: Sequence[str]
    ) -> TokenizedBatch:
        """Encode documents, each with the query that ``which`` tells."""
        encoded = [query.encode() for query in queries]
        texts = _texts(encoded)[which]
        most = _LEAST_CHARACTERS + _CHARACTERS_OF_TOKEN * self._max_length
        sizes = [min(len(document), most) for document in documents]
        try:
            parts = [
                self._part(texts[some], documents[some], most) for some in calls(sizes, _AT_A_TIME)
            ]
        except (ArtifactError, EngineError) as error:
            raise TokenizerError(f"the tokenizer failed on a text: {error}") from error
        return _joined(parts)

    def _part(
        self, queries: NDArray[np.uintp], documents: Sequence[str], most: int
    ) -> TokenizedBatch:
        """Encode ``most`` characters of each document first, and more where a pair needs them."""
        count = len(documents)
        go_on = np.array([len(document) > most for document in documents], np.uint8)
        encoded = [
            (document[:most] if longer else document).encode()
            for document, longer in zip(documents, go_on.tolist(), strict=True)
        ]
        ids = np.empty(count * self._max_length, np.int32)
        offsets = np.zeros(count + 1, np.int64)
        first, truncated = np.empty(count, np.int32), np.empty(count, np.uint8)
        self._library.encode(
            self._handle,
            self._threads,
            (queries, _texts(encoded), go_on),
            (ids, offsets, first, truncated),
        )
        batch = TokenizedBatch(ids[: offsets[-1]], offsets, first, truncated == 1)
        (open_ones,) = np.nonzero(truncated == _GOES_ON)
        if not open_ones.size:
            return batch
        longer = [documents[place] for place in open_ones.tolist()]
        places = np.arange(count)
        places[open_ones] = count + np.arange(open_ones.size)
        more = self._part(queries[open_ones], longer, most * _GROWTH)
        return _joined([batch, more]).take(places)


def _texts(encoded: Sequence[bytes]) -> NDArray[np.uintp]:
    """Return address and size of each text, as ``edge_rerank_text`` has them.

    They are good while ``encoded`` lives.
    """
    texts = np.empty((len(encoded), 2), np.uintp)
    if encoded:
        addresses: Any = (ctypes.c_char_p * len(encoded))(*encoded)
        texts[:, 0] = np.frombuffer(addresses, np.uintp)
        texts[:, 1] = [len(text) for text in encoded]
    return texts


def _joined(parts: Sequence[TokenizedBatch]) -> TokenizedBatch:
    """Return one batch, which holds no more memory than it needs."""
    return TokenizedBatch(
        ids=np.concatenate([part.ids for part in parts]),
        offsets=offsets_of(np.concatenate([part.lengths for part in parts])),
        first_segments=np.concatenate([part.first_segments for part in parts]),
        truncated=np.concatenate([part.truncated for part in parts]),
    )
