"""What the adapters of frameworks share: a model that is opened at its first use, and by one alone.

Frameworks copy, pickle and compare their components, and make them long before they run. A
:class:`SharedModel` is its settings: copies in a process that ask for the same share one engine,
and a copy that arrives in another process opens its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakValueDictionary

from edge_rerank.asynchronous import AsyncReranker
from edge_rerank.description import Scores
from edge_rerank.errors import InputError
from edge_rerank.inputs import parameters
from edge_rerank.pairs import Pair
from edge_rerank.reranker import Reranker
from edge_rerank.results import RankedDocument
from edge_rerank.windows.options import LongDocuments, Windows, reading

_Key = tuple[str | None, int | None, int | None, int]
_opened: WeakValueDictionary[_Key, _Opened] = WeakValueDictionary()
_lock = threading.Lock()


@dataclass(eq=False)
class _Opened:
    """A reranker, and its calls that are awaited."""

    reranker: Reranker
    awaited: AsyncReranker


@dataclass(frozen=True)
class SharedModel:
    """A model by its settings; see :class:`~edge_rerank.Reranker` for what they mean.

    Raises InputError at once for a setting that is out of range.
    """

    path: str | None = None
    threads: int | None = None
    max_length: int | None = None
    scores: Scores | None = None
    long_documents: LongDocuments | Windows = "truncate"
    query_max_tokens: int | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without opening the model."""
        reading(self.long_documents, self.query_max_tokens)
        parameters.activation(self.scores, "sigmoid")

    @property
    def name(self) -> str:
        """The model's name for logs and events, without opening it."""
        return "edge-rerank" if self.path is None else os.path.basename(os.path.abspath(self.path))

    @property
    def reranker(self) -> Reranker:
        """The model, which is opened now if no copy has done so."""
        return self._open().reranker

    def rank(self, query: str, texts: Sequence[str]) -> list[RankedDocument[str]]:
        """Rank texts, best first."""
        return self._open().reranker.rank(query, texts, **self._options())

    async def arank(self, query: str, texts: Sequence[str]) -> list[RankedDocument[str]]:
        """Rank texts, best first; ends when the task that awaits it is cancelled."""
        opened = self._open()
        return await opened.awaited.rank(query, texts, **self._options())

    def score(self, pairs: Sequence[Pair]) -> list[float]:
        """Score pairs, in their order."""
        return [pair.score for pair in self._open().reranker.score(pairs, **self._options())]

    def __getstate__(self) -> dict[str, object]:
        """Leave the open model behind."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def _options(self) -> dict[str, Any]:
        return {
            "scores": self.scores,
            "long_documents": self.long_documents,
            "query_max_tokens": self.query_max_tokens,
        }

    def _open(self) -> _Opened:
        held: _Opened | None = self.__dict__.get("_held")
        if held is not None and self.__dict__["_process"] == os.getpid():
            return held
        key = (self.path, self.threads, self.max_length, os.getpid())
        with _lock:
            found = _opened.get(key)
            if found is None:
                reranker = Reranker.load(
                    self.path, threads=self.threads, max_length=self.max_length
                )
                found = _opened[key] = _Opened(reranker, AsyncReranker(reranker))
        self.__dict__.update(_held=found, _process=os.getpid())
        return found


class Asking(Protocol):
    """A component whose fields say which model it wants; they may be set anew at any time."""

    model: str | None
    threads: int | None
    max_length: int | None
    long_documents: LongDocuments | Windows
    query_max_tokens: int | None


def asked_of(
    component: Asking, held: SharedModel | None = None, *, scores: Scores | None = None
) -> SharedModel:
    """Return the model that a component's fields ask for: the one that it holds, if it is that."""
    asked = SharedModel(
        component.model,
        threads=component.threads,
        max_length=component.max_length,
        scores=scores,
        long_documents=component.long_documents,
        query_max_tokens=component.query_max_tokens,
    )
    return held if held is not None and asked == held else asked


def best(
    ranked: Sequence[RankedDocument[str]], top_n: int | None, threshold: float | None
) -> list[RankedDocument[str]]:
    """Return the first ``top_n`` of a ranking whose score reaches the threshold; None is no limit.

    Raises InputError unless ``top_n`` is a whole number from 1.
    """
    if top_n is not None and (isinstance(top_n, bool) or top_n < 1):
        raise InputError(f"top_n must be > 0, but got {top_n}")
    good = [hit for hit in ranked if threshold is None or hit.score >= threshold]
    return good[:top_n]
