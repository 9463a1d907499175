"""The teacher of a run with a collection: a mixture that ranks better than the model alone.

The model as it is, the built-in model and BM25 err each in its own way, and their mixture ranks
passages that none of them was trained on better than any of them. It says something of every
passage that a search finds, where a few hundred judgements are soon learned by heart. How much of
each is in it is what ranks the training queries best.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_rerank import Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.evaluation.measures import MEASURES, per_query

from .examples import JudgedQuery
from .options import TAUGHT_PAIRS
from .place import read_json, write_json
from .progress import Told

_FILE = "teacher.json"
_BUILT_IN = (0.0, 0.5, 1.0)
_BM25 = (0.0, 0.3, 0.5, 0.7, 1.0)
_SAVE_SECONDS = 20.0  # of reading are the most that a kill costs
_FEWEST_LISTS = 2  # of a step are in what is kept of a query's passages, however many queries

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Teacher:
    """What the mixture is made of, in standard deviations of a query's scores."""

    built_in: float
    """Share of the built-in model; the model's own is 1."""
    bm25: float
    """Share of BM25."""
    ndcg: float
    """Mean nDCG@10 of the training queries, ranked by the mixture."""
    ndcg_alone: float
    """The same, ranked by the model as it is."""
    spread: float
    """Mean standard deviation of the model's logits in a query's list."""

    def sentence(self) -> str:
        """Say what it is."""
        shares = {"the built-in one": self.built_in, "BM25": self.bm25}
        others = [f"{share:g} of {name}" for name, share in shares.items() if share]
        return (
            f"the teacher is {' and '.join(['the model as it is', *others])}: nDCG@10 of the "
            f"training queries {self.ndcg:.4f}, of the model alone {self.ndcg_alone:.4f}"
        )


def taught(
    judged: Sequence[JudgedQuery],
    synthetic: Sequence[JudgedQuery],
    model: Path,
    *,
    size: int,
    threads: int,
    work: Path,
    told: Told,
) -> tuple[tuple[JudgedQuery, ...], Teacher]:
    """Return all queries with targets for what a search found for them, and their teacher.

    The judged ones choose it. ``model`` is the artifact of the model as it is, ``size`` the length
    of a list. What the models say is kept in ``work``, for a run that goes on.
    """
    queries = (*(_fewer(query, size, len(judged)) for query in judged), *synthetic)
    models: dict[str, Path | None] = {"own": model}
    if not _is_built_in(model):
        models["built_in"] = None
    parts = _read(queries, models, threads, work, told)
    known = queries[: len(judged)]
    grades = [np.array([query.grades.get(text, 0.0) for text in query.found]) for query in known]
    built_in = _BUILT_IN if "built_in" in models else (0.0,)
    shares = [(share, bm25) for share in built_in for bm25 in _BM25]
    ndcg = {
        share: _ndcg([_mixed(part, *share) for part in parts[: len(known)]], grades)
        for share in shares
    }
    best = max(shares, key=ndcg.__getitem__)  # of equal ones the first, with the least of others
    spread = float(np.mean([part["own"].std() for part in parts])) or 1.0
    teacher = Teacher(*best, ndcg[best], ndcg[shares[0]], spread)
    given = tuple(
        replace(query, targets=dict(zip(query.found, _mixed(part, *best).tolist(), strict=True)))
        for query, part in zip(queries, parts, strict=True)
    )
    return given, teacher


def _fewer(query: JudgedQuery, size: int, queries: int) -> JudgedQuery:
    """Keep as many of a query's passages, evenly, as all queries together can be read of.

    Relevant ones stay in any case: without them nothing says which teacher ranks it better.
    """
    count = max(_FEWEST_LISTS * size, math.ceil(TAUGHT_PAIRS / queries))
    found = list(query.found.items())
    if len(found) <= count:
        return query
    even = {*np.linspace(0, len(found) - 1, count).round().astype(int).tolist()}
    relevant = {*query.relevant}
    kept = (one for place, one in enumerate(found) if place in even or one[0] in relevant)
    return replace(query, found=dict(kept))


def _is_built_in(model: Path) -> bool:
    """Return whether the model is the built-in one, which then need not be read twice."""
    own, built_in = (load_artifact(path, verify=False) for path in (model, builtin_model()))
    return own.manifest.files == built_in.manifest.files


def _read(
    queries: tuple[JudgedQuery, ...],
    models: Mapping[str, Path | None],
    threads: int,
    work: Path,
    told: Told,
) -> list[dict[str, Floats]]:
    """Return what each of the mixture's parts says of each query's passages."""
    pairs = [(query.text, text) for query in queries for text in query.found]
    digest = hashlib.sha256(json.dumps(pairs).encode("ascii")).hexdigest()
    kept = read_json(work / _FILE)
    if kept is None or kept.get("pairs") != digest:
        kept = {"pairs": digest}
    for name, path in models.items():
        logits = kept.setdefault(name, [])
        if len(logits) == len(pairs):
            continue
        told.say(f"the teacher: {name.replace('_', '-')} model")
        saved = time.monotonic()
        try:
            # How far int8 strays is the exporter's to say, and is no matter here.
            with Reranker.load(path, threads=threads, self_check=False) as reranker:
                for scored in reranker.score(pairs[len(logits) :]):
                    logits.append(scored.logit)
                    told.show("pairs", len(logits), len(pairs))
                    if time.monotonic() - saved >= _SAVE_SECONDS:
                        write_json(work / _FILE, kept)
                        saved = time.monotonic()
        finally:
            write_json(work / _FILE, kept)
    found, at = [], 0
    for query in queries:
        end = at + len(query.found)
        part = {name: np.array(kept[name][at:end]) for name in models}
        found.append(part | {"bm25": np.array([*query.found.values()])})
        at = end
    return found


def _mixed(part: Mapping[str, Floats], built_in: float, bm25: float) -> Floats:
    """Return the mixture of a list, with the mean and the spread of the model's own logits."""
    own = part["own"]
    mixture = _even(own) + bm25 * _even(part["bm25"])
    if built_in:
        mixture += built_in * _even(part["built_in"])
    found: Floats = own.mean() + own.std() * _even(mixture)
    return found


def _even(scores: Floats) -> Floats:
    """Return scores with mean 0 and standard deviation 1, or all 0."""
    away: Floats = scores - scores.mean()
    even: Floats = away / (away.std() or 1.0)
    return even


def _ndcg(scores: list[Floats], grades: list[Floats]) -> float:
    rankings, judgements = {}, {}
    for place, (one, known) in enumerate(zip(scores, grades, strict=True)):
        rankings[str(place)] = [str(at) for at in np.argsort(-one, kind="stable")]
        own: Any = {str(at): grade for at, grade in enumerate(known.tolist())}
        judgements[str(place)] = own
    values = per_query(rankings, judgements)[MEASURES[0]]
    return sum(values) / len(values)


def teacher_facts(teacher: Teacher | None) -> dict[str, Any] | None:
    """Return the teacher as JSON values."""
    return None if teacher is None else asdict(teacher)
