"""The part of ``edge-rerank verify`` that is about the user's own pairs and collections."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_rerank.cli.common import model_of
from edge_rerank.cli.progress import ProgressLine
from edge_rerank.cli.streams import say
from edge_rerank.errors import InputError
from edge_rerank.pairs import Pair
from edge_rerank.reranker import Reranker
from edge_rerank.verification.checks import Check
from edge_rerank.verification.comparison import (
    Comparison,
    compare_rerankers,
    comparison_check,
    open_both,
    read_pairs,
    same_checkpoint,
)

if TYPE_CHECKING:
    from edge_rerank.evaluation import Collection, Evaluation


_ANOTHER = (
    "edge-rerank: the reference is of another checkpoint, by its SHA-256: the figures then compare "
    "two models, not int8 with fp32"
)


@dataclass(frozen=True, slots=True)
class OwnTexts:
    """What was read from the files that the options name."""

    pairs: list[Pair] | None
    collection: Collection | None


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """What was measured on them."""

    comparison: Comparison | None
    evaluation: Evaluation | None
    checks: tuple[Check, ...]

    @property
    def hold(self) -> bool:
        """True when no check failed."""
        return all(check.passed is not False for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "comparison": self.comparison and self.comparison.to_json(),
            "evaluation": self.evaluation and self.evaluation.to_json(),
            "own_checks": [check.to_json() for check in self.checks],
        }


def read_own_texts(options: argparse.Namespace) -> OwnTexts | None:
    """Read pairs and collection, if any are named; raises InputError for options at odds."""
    if options.pairs is not None and options.reference is None:
        raise InputError("--pairs compares with a reference: name an fp32 artifact by --reference")
    if options.reference is not None and options.pairs is None and options.collection is None:
        raise InputError("--reference needs texts to compare on: --pairs FILE or --collection DIR")
    if not options.tolerance > 0:
        raise InputError(f"--tolerance is {options.tolerance}; expected a number above 0")
    if options.pairs is None and options.collection is None:
        return None
    fields = {"query_field": options.query_field, "text_field": options.text_field}
    return OwnTexts(
        pairs=None if options.pairs is None else read_pairs(options.pairs, **fields),
        collection=None if options.collection is None else _collection(options.collection),
    )


def measure(options: argparse.Namespace, own: OwnTexts) -> OwnFigures:
    """Compare on the pairs, evaluate on the collection; raises what loading and scoring do."""
    opened = open_both(
        model_of(options),
        options.reference,
        threads=options.threads,
        engine=options.engine,
        kernel=options.kernel,
        self_check=False,  # all the probes have been scored already
    )
    with opened as (reranker, reference):
        if reference is not None and not same_checkpoint(reranker, reference):
            say(_ANOTHER)
        comparison = _compare(own.pairs, reranker, reference)
        evaluation = _evaluate(own.collection, reranker, reference, options.depth)
    on_collection = evaluation.comparison if evaluation else None
    checks = [
        comparison_check(f"rms_error_on_{name}", found, options.tolerance)
        for name, found in (("pairs", comparison), ("collection", on_collection))
        if found is not None
    ]
    return OwnFigures(comparison, evaluation, tuple(checks))


def _compare(
    pairs: list[Pair] | None, reranker: Reranker, reference: Reranker | None
) -> Comparison | None:
    if pairs is None or reference is None:
        return None
    with _progress(2 * len(pairs)) as (show, tell):
        tell(f"scoring {len(pairs):,} pairs with both models")
        return compare_rerankers(reranker, reference, pairs, progress=show)


def _collection(folder: str) -> Collection:
    from edge_rerank.evaluation import check_libraries, read_collection

    check_libraries()
    return read_collection(folder)


def _evaluate(
    collection: Collection | None, reranker: Reranker, reference: Reranker | None, depth: int
) -> Evaluation | None:
    if collection is None:
        return None
    from edge_rerank.evaluation import evaluate

    systems = 1 if reference is None else 2
    with _progress(systems * depth * len(collection.queries)) as (show, tell):
        return evaluate(collection, reranker, reference, depth=depth, report=tell, progress=show)


@contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """Yield a counter of pairs, and a way to say what is being done, both on standard error."""
    with closing(ProgressLine("pairs", total=total)) as bar:

        def tell(line: str) -> None:
            bar.close()
            say(f"edge-rerank: {line}")

        yield bar.show, tell
