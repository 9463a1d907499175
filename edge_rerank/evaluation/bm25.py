"""BM25 with numpy alone: the first stage whose best documents are reranked.

Lucene's variant (Kamphuis and others, ECIR 2020) with k1 1.5 and b 0.75 over stems of English
words, without Lucene's stop words. The queries are known before the documents are read, so only
words of theirs are indexed, and no document is kept: a million take some hundred megabytes.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from edge_rerank.evaluation.stemming import stem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_K1, _B = 1.5, 0.75
_STOP_WORDS = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is"),
        *("it", "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there"),
        *("these", "they", "this", "to", "was", "will", "with"),
    )
)
_WORD = re.compile(r"\b\w\w+\b")
# Chinese, Japanese, Korean, Thai, Lao, Burmese and Khmer put no blanks between words, or few.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)
_KEPT_WORDS = 1 << 18
"""Words whose numbers are remembered: stemming takes longer than all else."""
_STOP, _UNASKED = -1, -2


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters, of two characters or more.

    Where no blanks stand between words, each two characters that follow one another are one.
    """
    words = _WORD.findall(text.lower())
    if text.isascii() or not _UNSPACED.search(text):
        return words
    return [piece for word in words for piece in _pieces(word)]


def _pieces(word: str) -> Iterable[str]:
    at = 0
    for found in _UNSPACED.finditer(word):
        if found.start() > at:
            yield word[at : found.start()]
        run, at = found[0], found.end()
        yield from ([run] if len(run) == 1 else (run[i : i + 2] for i in range(len(run) - 1)))
    if at < len(word):
        yield word[at:]


def _term(word: str) -> str:
    return stem(word) if word.isascii() else word


class _Numbers(dict[str, int]):
    """Words to the numbers of their terms, worked out when a word is first met."""

    def __init__(self, terms: Mapping[str, int]) -> None:
        super().__init__(dict.fromkeys(_STOP_WORDS, _STOP))
        self._terms = terms

    def __missing__(self, word: str) -> int:
        number = self._terms.get(_term(word), _UNASKED)
        if len(self) < _KEPT_WORDS:
            self[word] = number
        return number


class Bm25:
    """An index of documents for queries that are known beforehand."""

    def __init__(self, queries: Iterable[str]) -> None:
        """Prepare for these queries; then :meth:`add` every document, and :meth:`finish`."""
        terms: dict[str, int] = {}
        for query in queries:
            for word in words_of(query):
                if word not in _STOP_WORDS:
                    terms.setdefault(_term(word), len(terms))
        self._terms, self._numbers = terms, _Numbers(terms)
        self._postings = array("i"), array("i"), array("i")
        self._lengths = array("i")

    def add(self, text: str) -> None:
        """Add the next document."""
        terms, documents, counts = self._postings
        found = Counter(map(self._numbers.__getitem__, words_of(text)))
        self._lengths.append(found.total() - found.pop(_STOP, 0))
        found.pop(_UNASKED, None)
        terms.extend(found)
        counts.extend(found.values())
        documents.extend([len(self._lengths) - 1] * len(found))

    def finish(self) -> None:
        """Work out what each word of a query adds to each document's score."""
        import numpy as np

        lengths = np.array(self._lengths, np.float64)
        terms, documents, counts = (np.array(values, np.int32) for values in self._postings)
        self._postings = array("i"), array("i"), array("i")
        order = np.argsort(terms, kind="stable")
        terms, self._documents = terms[order], documents[order]
        self._starts = np.searchsorted(terms, np.arange(len(self._terms) + 1))
        holding = np.diff(self._starts)  # documents that hold the term
        rarity = np.log1p((len(lengths) - holding + 0.5) / (holding + 0.5))
        mean = max(lengths.mean(), 1.0) if len(lengths) else 1.0
        often = counts[order].astype(np.float64)
        room = _K1 * (1 - _B + _B * lengths[self._documents] / mean)
        self._weights = (rarity[terms] * often / (often + room)).astype(np.float32)
        self._scores = np.zeros(len(lengths), np.float32)

    def best(self, query: str, depth: int) -> list[tuple[int, float]]:
        """Return places and scores of the best documents, best first; equal ones by their place.

        Documents that share no word with the query are none of them.
        """
        import numpy as np

        numbers = (self._numbers[word] for word in words_of(query))
        scores = self._scores
        scores.fill(0.0)
        for number in numbers:
            if number >= 0:
                at, end = self._starts[number : number + 2]
                scores[self._documents[at:end]] += self._weights[at:end]
        places = _best_places(scores, depth)
        order = np.argsort(-scores[places], kind="stable")
        return [(int(place), float(scores[place])) for place in places[order]]


def _best_places(scores: NDArray[np.float32], depth: int) -> NDArray[np.intp]:
    """Return the places of the ``depth`` largest scores above 0, in their own order."""
    import numpy as np

    found = np.flatnonzero(scores)
    if len(found) <= depth:
        return found
    least = np.partition(scores[found], len(found) - depth)[len(found) - depth]
    above = np.flatnonzero(scores > least)
    equal = np.flatnonzero(scores == least)[: depth - len(above)]
    return np.sort(np.concatenate([above, equal]))
