"""What becomes of texts that are longer than the model: plain, frozen values, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, SupportsIndex

from edge_rerank.errors import InputError, shown
from edge_rerank.inputs import parameters

LongDocuments = Literal["truncate", "windows"]
LONG_DOCUMENTS = ("truncate", "windows")


@dataclass(frozen=True, slots=True)
class Windows:
    """How a document that does not fit is read in windows, and what its score is made of.

    Raises InputError for a value that is out of range.
    """

    overlap: float = 0.25
    """Share of a window that the next one reads again, from 0 up to 0.9."""
    mean_of_best: int = 1
    """The document's logit is the mean of so many of its windows' highest; 1 is the best alone."""
    max_windows: int = 64
    """Most windows of a document; what lies behind them is not read, and ``truncated`` says so."""

    def __post_init__(self) -> None:
        """Check the values."""
        overlap = self.overlap
        if isinstance(overlap, bool) or not isinstance(overlap, (int, float)):
            raise InputError(f"overlap is {shown(overlap)}; expected a share from 0 to 0.9")
        if not 0 <= overlap <= 0.9:
            raise InputError(f"overlap is {overlap:g}; expected a share from 0 to 0.9")
        _count(self.mean_of_best, "mean_of_best", "windows")
        _count(self.max_windows, "max_windows", "windows")


@dataclass(frozen=True, slots=True)
class Reading:
    """How texts are read where they are long."""

    windows: Windows | None = None
    """None cuts documents at their end."""
    query_max_tokens: int | None = None
    """Most tokens of a query; None leaves it to the model's rule, or half of a window."""
    document_max_tokens: int | None = None
    """Of a document that is read in windows, whole sentences of about so many tokens; None: all."""

    @property
    def name(self) -> LongDocuments:
        """What becomes of documents that do not fit."""
        return "truncate" if self.windows is None else "windows"

    @property
    def as_they_are(self) -> bool:
        """Whether each pair goes to the model as it is, and the tokenizer cuts it."""
        return self.windows is None and self.query_max_tokens is None


def reading(
    long_documents: LongDocuments | Windows, query_max_tokens: SupportsIndex | None
) -> Reading:
    """Check the parameters, and return what they ask for."""
    windows: Windows | None
    if isinstance(long_documents, Windows):
        windows = long_documents
    elif long_documents in LONG_DOCUMENTS:
        windows = Windows() if long_documents == "windows" else None
    else:
        expected = f"{' or '.join(LONG_DOCUMENTS)}, or a value of edge_rerank.Windows"
        raise InputError(f"long_documents is {shown(long_documents)}; expected {expected}")
    if query_max_tokens is None:
        return Reading(windows)
    return Reading(windows, _count(query_max_tokens, "query_max_tokens", "tokens"))


def _count(value: SupportsIndex, name: str, what: str) -> int:
    return parameters.whole(value, name, f"a whole number of {what} from 1")
