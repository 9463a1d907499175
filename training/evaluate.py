"""nDCG@10 of BM25, of the bi-encoder and of a reranker, over one first stage: BM25's best."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import TrainingError
from .metrics import ndcg, summary
from .mining import Bm25, sources_in
from .passages import Passage
from .queries import Query
from .scorers import Scorer
from .teacher import embed


@dataclass(frozen=True)
class Collection:
    """grades: for each query, the graded passages by position. Vectors are the bi-encoder's."""

    name: str
    passages: list[str]
    queries: list[str]
    grades: list[dict[int, int]]
    passage_vectors: np.ndarray
    query_vectors: np.ndarray
    depth: int


def held_out_collections(
    passages: Sequence[Passage],
    queries: Sequence[Query],
    passage_vectors: np.ndarray,
    query_vectors: np.ndarray,
    most: int,
    seed: int,
) -> list[Collection]:
    """For each source, up to most held-out queries over all its passages, trained on or not."""
    made: list[Collection] = []
    for source in sources_in(passages):
        members = [i for i, passage in enumerate(passages) if passage.source == source]
        position = {index: place for place, index in enumerate(members)}
        asked = np.array([i for i, q in enumerate(queries) if q.source == source and q.held_out])
        if not len(asked):
            continue  # A source of few documents can lie on one side of the split.
        if len(asked) > most:
            asked = np.sort(np.random.default_rng(seed).choice(asked, most, replace=False))
        made.append(
            Collection(
                source,
                [passages[i].text for i in members],
                [queries[i].text for i in asked],
                [{position[p]: 1 for p in queries[i].relevant} for i in asked],
                passage_vectors[members],
                query_vectors[asked],
                50,
            )
        )
    return made


def beir_collection(folder: Path, say: Callable[[str], None]) -> Collection:
    """A folder with corpus.jsonl, queries.jsonl and qrels.tsv. For evaluation only."""
    needed = [folder / name for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv")]
    missing = [path.name for path in needed if not path.is_file()]
    if missing:
        raise TrainingError(f"{folder.name} lacks {', '.join(missing)}")
    corpus = [json.loads(line) for line in needed[0].read_text("utf-8").splitlines()]
    asked = [json.loads(line) for line in needed[1].read_text("utf-8").splitlines()]
    place = {row["_id"]: i for i, row in enumerate(corpus)}
    grades: dict[str, dict[int, int]] = {}
    for line in needed[2].read_text("utf-8").splitlines():
        query, passage, grade = line.split("\t")
        # The first line names the columns, in most collections of this layout.
        if grade.lstrip("-").isdigit() and passage in place:
            grades.setdefault(query, {})[place[passage]] = int(grade)
    asked = [row for row in asked if row["_id"] in grades]
    texts = [f"{row.get('title', '')} {row['text']}".strip() for row in corpus]
    questions = [row["text"] for row in asked]
    return Collection(
        folder.name,
        texts,
        questions,
        [grades[row["_id"]] for row in asked],
        embed(texts, say),
        embed(questions, say),
        100,
    )


def evaluate_collection(
    collection: Collection, scorer: Scorer, say: Callable[[str], None]
) -> dict[str, Any]:
    """Figures of one collection. Equal scores keep BM25's order."""
    found, _ = Bm25(collection.passages).top(collection.queries, collection.depth)
    depth = found.shape[1]
    pairs = np.stack([np.repeat(np.arange(len(found)), depth), found.ravel()], axis=1)
    say(f"{collection.name}: {len(found)} queries, {len(pairs)} pairs")
    started = time.monotonic()
    logits = scorer.logits(collection.queries, collection.passages, pairs, say).reshape(found.shape)
    seconds = time.monotonic() - started
    cosines = np.einsum("qd,qkd->qk", collection.query_vectors, collection.passage_vectors[found])
    per_query: dict[str, list[float]] = {"bm25": [], "bi_encoder": [], "model": []}
    recalled: list[float] = []
    for row, grades in zip(range(len(found)), collection.grades, strict=True):
        relevant = {passage for passage, grade in grades.items() if grade > 0}
        recalled.append(len(relevant & set(found[row].tolist())) / max(len(relevant), 1))
        for name, scores in (("bm25", None), ("bi_encoder", cosines), ("model", logits)):
            order = (
                found[row]
                if scores is None
                else found[row][np.argsort(-scores[row], kind="stable")]
            )
            per_query[name].append(ndcg(order.tolist(), grades))
    gain = np.array(per_query["model"]) - np.array(per_query["bm25"])
    result: dict[str, Any] = {name: summary(values) for name, values in per_query.items()}
    result |= {"model_minus_bm25": summary(gain.tolist()), "passages": len(collection.passages)}
    result |= {"recall_of_first_stage": round(float(np.mean(recalled)), 4), "depth": depth}
    result |= {"pairs_per_second": round(len(pairs) / seconds, 1)}
    say(
        f"{collection.name}: "
        + ", ".join(f"{name} {result[name]['mean']:.4f}" for name in per_query)
    )
    return {"figures": result, "per_query": per_query}


def absolute_scores(
    collections: Sequence[Collection], scorer: Scorer, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Sigmoid scores of held-out queries with their answer, and with another source's passage."""
    rng = np.random.default_rng(seed)
    queries = [q for c in collections for q in c.queries]
    answers = [c.passages[min(g)] for c in collections for g in c.grades]
    strangers: list[str] = []
    for collection in collections:
        others = [c for c in collections if c.name != collection.name]
        for _ in collection.queries:
            other = others[rng.integers(len(others))]
            strangers.append(other.passages[rng.integers(len(other.passages))])
    pairs = np.array(
        [(i, i) for i in range(len(queries))] + [(i, i + len(queries)) for i in range(len(queries))]
    )
    scores = 1 / (1 + np.exp(-scorer.logits(queries, answers + strangers, pairs, say)))
    relevant, off_topic = scores[: len(queries)], scores[len(queries) :]
    return {
        "pairs_each": len(queries),
        "relevant_mean": round(float(relevant.mean()), 4),
        "relevant_above_0.5": round(float((relevant > 0.5).mean()), 4),
        "off_topic_mean": round(float(off_topic.mean()), 4),
        "off_topic_below_0.1": round(float((off_topic < 0.1).mean()), 4),
    }


def evaluate(
    scorer: Scorer,
    collections: Sequence[Collection],
    beir: Collection | None,
    seed: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Every figure, ready for JSON. The pooled line weighs each held-out query alike."""
    report: dict[str, Any] = {"collections": {}}
    pooled: dict[str, list[float]] = {"bm25": [], "bi_encoder": [], "model": []}
    for collection in collections:
        done = evaluate_collection(collection, scorer, say)
        report["collections"][collection.name] = done["figures"]
        for name, values in done["per_query"].items():
            pooled[name] += values
    report["held_out"] = {name: summary(values) for name, values in pooled.items()}
    gain = np.array(pooled["model"]) - np.array(pooled["bm25"])
    report["held_out"]["model_minus_bm25"] = summary(gain.tolist())
    report["absolute"] = absolute_scores(collections, scorer, seed, say)
    if beir:
        report["collections"][beir.name] = evaluate_collection(beir, scorer, say)["figures"]
    return report
