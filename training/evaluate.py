"""nDCG@10 of BM25, the bi-encoder and a reranker over BM25's best, alone and fused with it."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .collection import Collection
from .metrics import ndcg, summary
from .rubbish import OTHER_RUBBISH, RUBBISH
from .scorers import Scorer

FUSION_CONSTANT = 60
SYSTEMS = ("bm25", "bi_encoder", "bi_encoder_fused", "model", "model_fused")
"""What is measured; the fused ones are joined with BM25 by reciprocal rank."""
GAINS = (
    ("model_minus_bm25", "model", "bm25"),
    ("model_minus_bi_encoder", "model", "bi_encoder"),
    ("model_fused_minus_bm25", "model_fused", "bm25"),
)


def fused(*rankings: np.ndarray) -> np.ndarray:
    """Reciprocal rank fusion of orders [passages] of the same passages, best first.

    Cormack, Clarke and Büttcher, SIGIR 2009, with their constant. Ties keep the first one's order.
    """
    places = np.sort(rankings[0])
    total = np.zeros(len(places))
    for ranking in rankings:
        total[np.searchsorted(places, ranking)] += 1 / (
            FUSION_CONSTANT + 1 + np.arange(len(ranking))
        )
    first = rankings[0]
    return first[np.argsort(-total[np.searchsorted(places, first)], kind="stable")]


def figures(per_query: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Every system's figures, and how far the model's are from the others', query by query."""
    result: dict[str, Any] = {name: summary(values) for name, values in per_query.items()}
    for name, first, second in GAINS:
        gain = np.array(per_query[first]) - np.array(per_query[second])
        result[name] = summary(gain.tolist())
    return result


def evaluate_collection(
    collection: Collection, scorer: Scorer, say: Callable[[str], None]
) -> dict[str, Any]:
    """Figures of one collection. Equal scores keep BM25's order."""
    found = collection.candidates
    depth = found.shape[1]
    pairs = np.stack([np.repeat(np.arange(len(found)), depth), found.ravel()], axis=1)
    say(f"{collection.name}: {len(found)} queries, {len(pairs)} pairs")
    started = time.monotonic()
    logits = scorer.logits(collection.queries, collection.passages, pairs, say).reshape(found.shape)
    seconds = time.monotonic() - started
    cosines = np.einsum("qd,qkd->qk", collection.query_vectors, collection.passage_vectors[found])
    per_query: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    recalled: list[float] = []
    for row, grades in enumerate(collection.grades):
        relevant = {passage for passage, grade in grades.items() if grade > 0}
        recalled.append(len(relevant & set(found[row].tolist())) / max(len(relevant), 1))
        orders = {"bm25": found[row]}
        for name, scores in (("bi_encoder", cosines), ("model", logits)):
            orders[name] = found[row][np.argsort(-scores[row], kind="stable")]
            orders[f"{name}_fused"] = fused(found[row], orders[name])
        for name, order in orders.items():
            per_query[name].append(ndcg(order.tolist(), grades))
    result = figures(per_query) | {"passages": len(collection.passages)}
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
    found = scores(scorer.logits(queries, answers + strangers, pairs, say))
    relevant, off_topic = found[: len(queries)], found[len(queries) :]
    return {
        "pairs_each": len(queries),
        "relevant_mean": round(float(relevant.mean()), 4),
        "relevant_above_0.5": round(float((relevant > 0.5).mean()), 4),
        "off_topic_mean": round(float(off_topic.mean()), 4),
        "off_topic_below_0.1": round(float((off_topic < 0.1).mean()), 4),
    }


def rubbish_scores(
    collections: Sequence[Collection], scorer: Scorer, say: Callable[[str], None]
) -> dict[str, Any]:
    """How held-out queries score rubbish, and how often some of it is above their answer.

    Of what was trained with, and of other kinds.
    """
    queries = [q for c in collections for q in c.queries]
    answers = [c.passages[min(g)] for c in collections for g in c.grades]
    count, texts = len(queries), [*RUBBISH, *OTHER_RUBBISH]
    own = [(i, i) for i in range(count)]
    others = [(i, count + j) for i in range(count) for j in range(len(texts))]
    logits = scorer.logits(queries, [*answers, *texts], np.array(own + others), say)
    of_answers, of_rubbish = logits[:count], logits[count:].reshape(count, len(texts))
    trained, other = np.split(of_rubbish, [len(RUBBISH)], axis=1)
    return {
        name: {
            "highest": round(float(scores(found).max()), 4),
            "above_0.5": round(float((found > 0).mean()), 5),
            "queries_with_rubbish_above_the_answer": round(
                float((found.max(axis=1) >= of_answers).mean()), 4
            ),
        }
        for name, found in (("trained_with", trained), ("other", other))
    }


def scores(logits: np.ndarray) -> np.ndarray:
    """Their sigmoids."""
    found: np.ndarray = 1 / (1 + np.exp(-logits))
    return found


def evaluate(
    scorer: Scorer,
    collections: Sequence[Collection],
    others: Sequence[Collection],
    seed: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Every figure, ready for JSON. The pooled line weighs each held-out query alike."""
    report: dict[str, Any] = {"collections": {}}
    pooled: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    for collection in collections:
        done = evaluate_collection(collection, scorer, say)
        report["collections"][collection.name] = done["figures"]
        for name, values in done["per_query"].items():
            pooled[name] += values
    report["held_out"] = figures(pooled)
    report["absolute"] = absolute_scores(collections, scorer, seed, say)
    report["rubbish"] = rubbish_scores(collections, scorer, say)
    for collection in others:
        report["collections"][collection.name] = evaluate_collection(collection, scorer, say)[
            "figures"
        ]
    return report
