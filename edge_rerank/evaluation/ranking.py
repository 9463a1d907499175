"""One model ranks what the first stages found, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge_rerank.evaluation.child import Child, ChildError
from edge_rerank.evaluation.choices import Choice
from edge_rerank.evaluation.collection import Collection
from edge_rerank.evaluation.figures import ComparedModel, Measured
from edge_rerank.evaluation.stages import Found
from edge_rerank.windows.options import Reading


@dataclass(slots=True)
class Hearer:
    """Whom to tell what is being done, and how many pairs are scored."""

    report: Callable[[str], None]
    progress: Callable[[int], None]
    pairs: int = 0

    def scored(self, pairs: int) -> None:
        """Count more pairs."""
        self.pairs += pairs
        self.progress(self.pairs)


def measure(
    choice: Choice, asked: Collection, found: Sequence[Found], hearer: Hearer
) -> tuple[ComparedModel, list[Measured]]:
    """Return what the model is, and what it makes of each first stage's documents.

    What fails, at its start or later, is the error of the stages that are not whole.
    """
    rows = [Measured(choice.name, one.stage.name, reranked=True) for one in found]
    opened: dict[str, Any] = {}
    error = None if choice.problem is None else str(choice.problem)
    whole = 0
    if error is None:
        try:
            with Child() as child:
                opened = child.ask("open", path=str(choice.path), settings=choice.settings)
                for one, row in zip(found, rows, strict=True):
                    pairs = one.stage.pairs
                    hearer.report(
                        f"{choice.name}: ranking {pairs:,} documents of {row.first_stage}"
                    )
                    _rank(child, asked, one, row, _message(choice.reading), hearer)
                    whole += 1
        except ChildError as problem:
            error = str(problem)
    if error is not None:
        hearer.report(f"{choice.name}: {error}")
        for row in rows[whole:]:
            row.error = error
    return _model(choice, opened, error), rows


def _message(reading: Reading) -> dict[str, Any]:
    """Return how long texts are read as the other process is told."""
    windows = None if reading.windows is None else asdict(reading.windows)
    return {"windows": windows, "query_max_tokens": reading.query_max_tokens}


def _rank(
    child: Child,
    asked: Collection,
    found: Found,
    row: Measured,
    reading: dict[str, Any],
    hearer: Hearer,
) -> None:
    """Rank each query's documents, a call for each, as a search engine would."""
    warm = False
    for query, names in found.documents.items():
        row.rankings[query] = []
        if not names:
            continue
        texts = {
            "query": asked.queries[query],
            "documents": [asked.documents[name] for name in names],
        }
        if not warm:
            child.ask("warm_up", **texts, reading=reading)
            warm = True
        answer = child.ask("rank", **texts, reading=reading)
        row.seconds.append(answer["seconds"])
        row.rankings[query] = [(names[place], logit) for place, logit in answer["ranked"]]
        row.tokens += answer["tokens"]
        row.truncated += answer["truncated"]
        hearer.scored(len(names))
    row.peak_bytes = child.ask("memory")["peak_bytes"]


def _model(choice: Choice, opened: dict[str, Any], error: str | None) -> ComparedModel:
    manifest = choice.manifest
    return ComparedModel(
        name=choice.name,
        path=choice.path,
        engine=opened.get("engine"),
        long_documents=choice.reading.name,
        precision=None if manifest is None else manifest.precision,
        size=None if manifest is None else sum(file.size for file in manifest.files.values()),
        load_seconds=opened.get("load_seconds"),
        error=error,
    )
