"""What every shape is turned into, and what comes back: the values between HTTP and the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge_rerank.inputs.texts import is_blank
from edge_rerank.pairs import Pair
from edge_rerank.results import ScoredPair, Window
from edge_rerank.server.errors import RequestError
from edge_rerank.server.settings import Limits
from edge_rerank.windows.options import LongDocuments, Windows


@dataclass(frozen=True, slots=True)
class Cutting:
    """What becomes of texts that are too long for the model."""

    refuse: bool = False
    """A pair that does not fit whole is an error."""
    keep_end: bool = False
    """The document's end is kept in place of its beginning."""
    query_tokens: int | None = None
    document_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Spans:
    """Which windows of each document to name."""

    threshold: float
    """Least score, 0 to 1."""
    most: int | None = None
    """None is all."""


@dataclass(frozen=True, slots=True)
class Work:
    """A request, understood."""

    pairs: Sequence[Pair]
    model: str | None = None
    raw: bool = False
    """Logits are asked for, in place of their sigmoid."""
    top_n: int | None = None
    """None is all."""
    details: bool = False
    """Tokens and truncation of each document are asked for: an addition of ours."""
    documents: Sequence[Mapping[str, Any] | str] | None = None
    """What to return beside the scores, where it was asked for."""
    single: bool = False
    """The answer is one value, not a list of them."""
    cutting: Cutting = Cutting()
    long_documents: LongDocuments | Windows | None = None
    """None is what the server was told at its start."""
    spans: Spans | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model said about a request."""

    request_id: str
    model: str
    """The name that the request used, or else the model's own."""
    scored: Sequence[ScoredPair]
    created: int
    """Seconds since 1970."""

    @property
    def tokens(self) -> int:
        """All tokens the model read."""
        return sum(pair.tokens for pair in self.scored)

    def score(self, index: int, work: Work) -> float:
        """Return what the request calls the score of a pair."""
        pair = self.scored[index]
        return pair.logit if work.raw else pair.score

    def windows(self, index: int, spans: Spans) -> list[Window]:
        """Return the windows of a document that are good enough, best first."""
        found = sorted(self.scored[index].windows, key=lambda window: -window.logit)
        good = [window for window in found if window.score >= spans.threshold]
        return good if spans.most is None else good[: spans.most]

    def order(self, work: Work) -> list[int]:
        """Return the indices best first, ties by index, no more than were asked for.

        As ``Reranker.rank`` has it: by logit, since the sigmoid of large logits is 1.0 for all of
        them, and texts that show nothing at the end.
        """

        def place(index: int) -> tuple[bool, float]:
            return is_blank(work.pairs[index][1]), -self.scored[index].logit

        best = sorted(range(len(self.scored)), key=place)
        return best if work.top_n is None else best[: work.top_n]


class Shape(Protocol):
    """One way to write requests, answers and errors; implemented by modules of this package."""

    def parse(self, body: Mapping[str, Any], limits: Limits) -> Work:
        """Understand a request; raises InvalidError or EmptyError."""

    def answer(self, work: Work, outcome: Outcome) -> Any:
        """Return the answer as JSON values."""

    def error(self, error: RequestError, request_id: str) -> tuple[int, Mapping[str, Any]]:
        """Return status and body of an error."""
