"""Is the tuned model better? Both int8 artifacts rank the validation lists, side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_rerank.evaluation.bootstrap import Estimate
from edge_rerank.evaluation.comparing import compare
from edge_rerank.evaluation.figures import ModelComparison

from .errors import TuningError
from .progress import Told
from .validation import NDCG, Validation

BETTER, WORSE, UNDECIDED, NO_STEP = "better", "worse", "undecided", "no step was better"
BEFORE, AFTER = "before", "after"
_RUN = "shuffled.trec"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison says."""

    word: str
    difference: Estimate | None
    """Of nDCG@10, after less before; None where no step was better than the checkpoint."""

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.word == BETTER

    def sentence(self) -> str:
        """Return it in words."""
        if self.difference is None:
            return (
                "not better: at no step the validation queries were ranked better than by the "
                "checkpoint as it is; keep that"
            )
        mean, low, high = self.difference.mean, self.difference.low, self.difference.high
        figure = f"{NDCG} {mean:+.4f} (95 % interval {low:+.4f} to {high:+.4f})"
        return {
            BETTER: f"better: {figure}",
            WORSE: f"worse: {figure}; keep the model that you have",
            UNDECIDED: f"not shown to be better: {figure}, and chance alone may make that; keep "
            "the model that you have, or judge more queries",
        }[self.word]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "verdict": self.word,
            "sentence": self.sentence(),
            "difference": None if self.difference is None else asdict(self.difference),
        }


def verdict_of(found: ModelComparison) -> Verdict:
    """Judge by the paired interval of nDCG@10."""
    (estimate,) = (
        one.estimate
        for one in found.differences
        if (one.measure, one.system, one.baseline) == (NDCG, AFTER, BEFORE)
    )
    word = BETTER if estimate.low > 0 else WORSE if estimate.high < 0 else UNDECIDED
    return Verdict(word, estimate)


def compared(
    artifacts: tuple[Path, Path],
    validation: Validation,
    name: str,
    threads: int,
    told: Told,
) -> ModelComparison:
    """Let the artifacts, before and after, rank the lists; raises TuningError where one cannot."""
    collection = validation.collection(name)
    before, after = artifacts
    run = before.with_name(_RUN)
    with run.open("w", encoding="ascii", newline="\n") as stream:
        for query, documents in validation.documents.items():
            for rank, document in enumerate(documents, 1):
                stream.write(f"{query} Q0 {document} {rank} {-rank} shuffled\n")
    found = compare(
        collection,
        {BEFORE: before, AFTER: after},
        first_stages=(run,),
        depth=max(map(len, validation.documents.values())),
        threads=threads,
        report=told.say,
        progress=lambda done: told.show("pairs ranked", done, 0),
    )
    for model in found.failed:
        raise TuningError(f"{model.name}: {model.error}")
    return found
