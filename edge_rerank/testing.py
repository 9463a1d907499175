"""Golden scores: hold a pipeline of your own to the scores it gave when you were content with it.

    from edge_rerank import Reranker
    from edge_rerank.testing import GoldenScores, assert_scores_match

    with Reranker.load("my-model") as reranker:
        GoldenScores.record(reranker, pairs, "golden.json")     # once; commit the file
        assert_scores_match(reranker, "golden.json")            # in a test, on any machine

A pipeline that is not a :class:`Reranker` takes part as a function from pairs to scores. Nothing
here needs pytest.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from edge_rerank._version import __version__
from edge_rerank.artifact.fields import LARGEST, Fields, json_text, read_json
from edge_rerank.artifact.manifest import utc_now
from edge_rerank.errors import ArtifactError, InputError, shown
from edge_rerank.files import whole_file
from edge_rerank.inputs.texts import checked_pairs
from edge_rerank.pairs import Pair
from edge_rerank.parity.agreement import Agreement, agree
from edge_rerank.reranker import Reranker

__all__ = ["GoldenScores", "Scorer", "assert_scores_match"]

Scorer = Reranker | Callable[[Sequence[Pair]], Iterable[float]]
"""A reranker, whose logits are taken, or a function from (query, document) pairs to scores."""
TOLERANCE_SIGMA = 0.02
"""As far as logits of the same artifact may differ from one processor to another."""
_FORMAT_VERSION = 1
_LIMIT = 256 * 1024 * 1024
_LIBRARIES = ("onnxruntime", "tokenizers", "numpy")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class GoldenScores:
    """Pairs, the scores they had, and what gave them."""

    pairs: tuple[Pair, ...]
    scores: tuple[float, ...]
    made_with: Mapping[str, Any]
    """Model, versions, processor and time of the recording; for people, never compared."""

    @classmethod
    def record(
        cls, scorer: Scorer, pairs: Iterable[Pair], path: str | os.PathLike[str]
    ) -> GoldenScores:
        """Score the pairs and write them as JSON; the file appears whole, or not at all.

        Raises InputError for anything but pairs, and unless at least two have different scores:
        the tolerance is in sigma, the standard deviation of the scores; OSError, before
        anything is scored, where the file cannot be written.
        """
        checked = tuple(checked_pairs(pairs))
        with whole_file(path) as stream:  # opened first: scoring may take long
            golden = cls(checked, tuple(_scores(scorer, checked)), _made_with(scorer))
            if len(set(golden.scores)) < 2:
                raise InputError(
                    f"{len(checked)} pairs have {len(set(golden.scores))} different scores; "
                    "at least 2 are needed: take pairs of high and of low relevance"
                )
            stream.write(json_text(golden._to_json(), os.fspath(path)).encode("utf-8"))
        return golden

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> GoldenScores:
        """Read a recording; raises InputError, naming the file, for anything else."""
        where = os.fspath(path)
        try:
            fields = Fields.of(read_json(Path(path), limit=_LIMIT), where)
            if fields.value.get("format_version") != _FORMAT_VERSION:
                fields.fail("format_version", str(_FORMAT_VERSION))
            if not isinstance(fields.value.get("pairs"), list):
                fields.fail("pairs", "a list of objects")
            lines = [
                Fields.of(line, f"{where}: pair {place}")
                for place, line in enumerate(fields.value["pairs"])
            ]
            return cls(
                pairs=tuple((line.any_text("query"), line.any_text("document")) for line in lines),
                scores=tuple(line.number("score") for line in lines),
                made_with=dict(fields.child("made_with").value),
            )
        except ArtifactError as error:
            raise InputError(f"{error}; record it again with GoldenScores.record") from error

    def compare(self, scorer: Scorer) -> tuple[list[float], Agreement]:
        """Score the pairs again; returns the scores and how far they are from the recorded ones."""
        found = _scores(scorer, self.pairs)
        return found, agree(found, self.scores)

    def _to_json(self) -> dict[str, Any]:
        lines = [
            {"query": query, "document": document, "score": score}
            for (query, document), score in zip(self.pairs, self.scores, strict=True)
        ]
        return {
            "format_version": _FORMAT_VERSION,
            "made_with": dict(self.made_with),
            "pairs": lines,
        }


def assert_scores_match(
    scorer: Scorer,
    path: str | os.PathLike[str],
    *,
    tolerance_sigma: float = TOLERANCE_SIGMA,
    max_tolerance_sigma: float | None = None,
) -> Agreement:
    """Assert that recorded pairs score as they did; returns the figures.

    Args:
        scorer: what is held to the recording: see :data:`Scorer`.
        path: a file that :meth:`GoldenScores.record` wrote.
        tolerance_sigma: largest rms difference, as a fraction of the standard deviation of the
            recorded scores; 0 asks for the same scores to the last bit.
        max_tolerance_sigma: largest difference of a single pair; five times as much when None.

    Raises AssertionError that names the pairs that moved furthest, InputError for a file that is
    not a recording, and what the scorer does.
    """
    golden = GoldenScores.read(path)
    found, agreement = golden.compare(scorer)
    most = 5 * tolerance_sigma if max_tolerance_sigma is None else max_tolerance_sigma
    if agreement.rms_in_sigma <= tolerance_sigma and agreement.max_in_sigma <= most:
        return agreement
    raise AssertionError(
        f"scores differ from {os.fspath(path)}: rms {agreement.rms_in_sigma:.4f} sigma (at most "
        f"{tolerance_sigma:g}), largest {agreement.max_in_sigma:.4f} (at most {most:g}), sigma "
        f"{agreement.sigma:.4f}, tau {agreement.kendall_tau:.4f}\n"
        + "\n".join(_worst(golden, found))
        + f"\nrecorded with {dict(golden.made_with)}"
    )


def _worst(golden: GoldenScores, found: Sequence[float]) -> list[str]:
    moved = [abs(one - other) for one, other in zip(found, golden.scores, strict=True)]
    places = sorted(range(len(moved)), key=lambda place: -moved[place])[:_SHOWN]
    return [
        f"  pair {place}: {golden.scores[place]:.6g} recorded, {found[place]:.6g} now: "
        f"{shown(golden.pairs[place][0])} / {shown(golden.pairs[place][1])}"
        for place in places
        if moved[place]
    ]


def _scores(scorer: Scorer, pairs: Sequence[Pair]) -> list[float]:
    if isinstance(scorer, Reranker):
        return [pair.logit for pair in scorer.score(pairs, scores="logits")]
    scores = [float(score) for score in scorer(list(pairs))]
    if len(scores) != len(pairs) or not all(abs(score) <= LARGEST for score in scores):
        raise InputError(
            f"the function gave {len(scores)} scores for {len(pairs)} pairs; "
            "expected one finite number each, within float32's range"
        )
    return scores


def _made_with(scorer: Scorer) -> dict[str, Any]:
    facts: dict[str, Any] = {"created": utc_now(), "machine": platform.machine()}
    facts["edge-rerank"] = __version__
    if isinstance(scorer, Reranker):
        manifest, engine = scorer.artifact.manifest, scorer.describe()
        facts |= {"model": manifest.name, "precision": manifest.precision}
        facts |= {"checkpoint_sha256": manifest.source.checkpoint_sha256}
        facts |= {"engine": f"{engine.engine} {engine.version}"}
    return facts | {name: _version(name) for name in _LIBRARIES}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
