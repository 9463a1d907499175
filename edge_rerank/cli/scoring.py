"""The lines of ``edge-rerank score``: a pair each, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from edge_rerank.cli.common import with_members
from edge_rerank.cli.failures import in_options
from edge_rerank.cli.long_documents import window_facts
from edge_rerank.cli.streams import say
from edge_rerank.errors import EdgeRerankError, EngineError, InputError, TokenizerError
from edge_rerank.pairs import Pair
from edge_rerank.reading.entries import Entry
from edge_rerank.reading.objects import Record, text_under
from edge_rerank.reranker import Reranker
from edge_rerank.results import ScoredPair

T = TypeVar("T", covariant=True)
STOP, SKIP, NULL = ON_ERROR = ("stop", "skip", "null")
_MOST_CHARACTERS = 8 << 20
"""Of the lines that are held at a time: fewer than ``at_a_time`` where they are long."""


@dataclass(frozen=True, slots=True)
class Members:
    """The names of what is added to each object."""

    score: str
    logit: str
    tokens: str
    truncated: str
    error: str
    windows: str | None
    """None where documents are not read in windows."""
    window: str | None

    @classmethod
    def named(cls, score: str, *, windows: bool = False) -> Members:
        """Name all by the score's name; raises InputError for one that is empty."""
        if not score:
            raise InputError("--score-field is empty; expected a name")
        prefix = "" if score == "score" else f"{score}_"
        others = ("logit", "tokens", "truncated", "error")
        of_windows = [f"{prefix}{name}" if windows else None for name in ("windows", "window")]
        return cls(score, *(f"{prefix}{name}" for name in others), *of_windows)

    def of(self, pair: ScoredPair) -> dict[str, Any]:
        """Return what a scored pair's line gets."""
        values = (pair.score, pair.logit, pair.tokens, pair.truncated)
        facts = window_facts(pair.windows).values()
        return dict(zip(self.added, (*values, *facts), strict=True))

    def of_error(self, message: str) -> dict[str, Any]:
        """Return what the line of a pair gets that could not be scored."""
        return {**dict.fromkeys(self.added), self.error: message}

    @property
    def added(self) -> tuple[str, ...]:
        """Those of a pair that was scored."""
        names = (self.score, self.logit, self.tokens, self.truncated, self.windows, self.window)
        return tuple(name for name in names if name is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, that of an error last."""
        return (*self.added, self.error)

    def check(self, record: Record, place: str) -> None:
        """Raise :class:`ClashError` where an object has such a member already."""
        taken = [name for name in self.added if name in record]
        if taken:
            raise ClashError(
                f"{place}: has the field {', '.join(map(repr, taken))} already, which is what "
                "score adds; name the added fields otherwise with --score-field NAME"
            )


class ClashError(InputError):
    """A field of the input would be replaced: not the line's fault, but the options'."""


@dataclass(frozen=True)
class Line:
    """One line of the input: its object, its pair, or what is wrong with it."""

    place: str
    size: int
    """Characters."""
    record: Record | None
    pair: Pair
    problem: InputError | None = None


def lines_of(
    entries: Iterable[Entry], *, query_field: str, text_field: str, members: Members
) -> Iterator[Line]:
    """Read the lines; raises ClashError, and what makes all that follows unreadable."""
    for entry in entries:
        record, problem = None, None
        pair: Pair = ("", "")
        try:
            record = entry.record()
            members.check(record, entry.place)
            query = text_under(record, query_field, entry.place, "--query-field")
            pair = query, text_under(record, text_field, entry.place, "--text-field")
        except ClashError:
            raise
        except InputError as error:
            problem = error
        yield Line(entry.place, len(entry.text), record, pair, problem)


class Form(Protocol[T]):
    """What scored lines become."""

    def scored(self, line: Line, pair: ScoredPair) -> T:
        """Return what a line with its score becomes."""

    def failed(self, line: Line, problem: InputError) -> T:
        """Return what a line becomes that could not be scored."""


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Lines of JSON: each object as it was written, with more members at its end."""

    members: Members

    def scored(self, line: Line, pair: ScoredPair) -> str:
        """Return the line with what its pair was found to be."""
        assert line.record is not None
        try:
            text = with_members(line.record.source, self.members.of(pair))
        except ValueError as error:
            raise EngineError(f"{line.place}: the model's logit is {pair.logit}") from error
        return f"{text}\n"

    def failed(self, line: Line, problem: InputError) -> str:
        """Return the line with the reason in place of a score."""
        record = line.record
        if record is not None and self.members.error in record:
            raise ClashError(
                f"{line.place}: has the field {self.members.error!r} already, which is where the "
                "reason would go; name the added fields otherwise with --score-field NAME"
            ) from problem
        source = "{}" if record is None else record.source
        return with_members(source, self.members.of_error(in_options(str(problem)))) + "\n"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many lines were scored and how many could not be, and the first reason."""

    good: int = 0
    bad: int = 0
    first: str = ""

    def __add__(self, other: Counts) -> Counts:
        """Count those of two runs."""
        first = self.first or other.first
        return Counts(self.good + other.good, self.bad + other.bad, first)

    def check(self, on_error: str, *, scored: int) -> None:
        """Say how many lines were bad; raises InputError where not one was good."""
        if not self.bad:
            return
        done = "written with a score of null" if on_error == NULL else "left out"
        told = f"{self.bad:,} of {self.bad + self.good:,} lines could not be scored and were"
        message = f"{told} {done}; the first: {self.first}"
        if not self.good and scored <= self.bad:
            raise InputError(message)
        say(f"edge-rerank: {message}")


class Scorer(Generic[T]):
    """Turns lines into what is written of them, and counts those that cannot be scored."""

    def __init__(
        self,
        reranker: Reranker,
        form: Form[T],
        *,
        logits: bool,
        on_error: str,
        how: Mapping[str, Any],
    ) -> None:
        """Score with a reranker; ``on_error`` is one of ON_ERROR.

        ``how`` are the arguments of :meth:`Reranker.score` that say how long texts are read.
        """
        self.on_error, self.counts = on_error, Counts()
        self._form = form
        self._reranker = reranker
        self._how: Mapping[str, Any] = {"scores": "logits" if logits else None, **how}

    def batches(self, lines: Iterator[Line], at_a_time: int) -> Iterator[list[T]]:
        """Yield the finished lines, ``at_a_time`` of them, or fewer where they are long.

        Where ``on_error`` is to stop, the problem of a bad line is raised after those before it,
        and what the reading of the lines raises always is.
        """
        batch: list[Line] = []
        size = 0
        problem: InputError | None = None
        while True:
            try:
                line = next(lines, None)
            except InputError as error:
                line, problem = None, error
            if line is not None and line.problem is not None and self.on_error == STOP:
                problem, line = line.problem, None
            if line is None:
                break
            batch.append(line)
            size += line.size
            if len(batch) >= at_a_time or size >= _MOST_CHARACTERS:
                yield from self._finished(batch)
                batch, size = [], 0
        if batch:
            yield from self._finished(batch)
        if problem is not None:
            raise problem

    def score(self, line: Line) -> ScoredPair:
        """Score one line."""
        return next(self._reranker.score([line.pair], **self._how))

    def _finished(self, batch: Sequence[Line]) -> Iterator[list[T]]:
        """Yield what a batch becomes; raises over a line only after those before it."""
        results = iter(self._results([line for line in batch if line.problem is None]))
        finished: list[T] = []
        problem: EdgeRerankError | None = None
        for line in batch:
            try:
                made = self._made_of(line, line.problem or next(results))
            except EdgeRerankError as error:
                problem = error
                break
            finished += [] if made is None else [made]
        yield finished
        if problem is not None:
            raise problem

    def _made_of(self, line: Line, result: ScoredPair | EdgeRerankError) -> T | None:
        """Return what is written for a line; raises what ends the run there."""
        if isinstance(result, ScoredPair):
            made = self._form.scored(line, result)
            self.counts += Counts(good=1)
            return made
        if not isinstance(result, InputError) or self.on_error == STOP:
            raise result
        self.counts += Counts(bad=1, first=str(result))
        return None if self.on_error == SKIP else self._form.failed(line, result)

    def _results(self, lines: Sequence[Line]) -> list[ScoredPair | EdgeRerankError]:
        """Score lines; one that the model cannot take is at fault, and not its neighbours.

        What is nobody's fault, such as a lack of memory, is the last of the results.
        """
        results: list[ScoredPair | EdgeRerankError] = []
        while rest := lines[len(results) :]:
            pairs = [line.pair for line in rest]
            try:
                for pair in self._reranker.score(pairs, at_a_time=len(pairs), **self._how):
                    results.append(pair)
            except (InputError, TokenizerError) as error:
                place = lines[len(results)].place
                message = str(error).removeprefix(f"pair {error.index}: ")
                results.append(InputError(f"{place}: {message}"))
            except EdgeRerankError as error:
                return [*results, error]
        return results
