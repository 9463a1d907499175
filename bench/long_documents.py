"""What windows gain over cutting, and what they cost: long documents, the answer anywhere in them.

Run: python -m edge_rerank_bench.long_documents COLLECTION [--model DIR] [--queries N]

Every document of a judged collection (BEIR layout) is set, at a place drawn by lot, among others
that are relevant to none of its queries. BM25 chooses the candidates by the documents alone, so
that only the reranker meets the long ones.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_rerank import RankedDocument, Reranker, Windows
from edge_rerank.cli.parser import thread_count
from edge_rerank.evaluation.collection import Collection, read_collection
from edge_rerank.evaluation.first_stage import bm25_rankings
from edge_rerank.evaluation.measures import difference, per_query

NDCG = "nDCG@10"
FILLERS = 5
SEED = 20261125


@dataclass(frozen=True, slots=True)
class Task:
    """Queries, their candidates' ids, and the judgements."""

    queries: Mapping[str, str]
    candidates: Mapping[str, Sequence[str]]
    judgements: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Run:
    """One way of reading: each query's values, and what all of them cost."""

    name: str
    values: Sequence[float]
    seconds: float
    tokens: int


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("--model", metavar="DIR")
    parser.add_argument("--queries", type=int, default=80, metavar="N")
    parser.add_argument("--candidates", type=int, default=20, metavar="N")
    parser.add_argument("--threads", type=thread_count, default="auto", metavar="N")
    options = parser.parse_args()
    collection = read_collection(options.collection)
    task = _task(collection, options.queries, options.candidates)
    long = long_documents(collection)
    with Reranker.load(options.model, threads=options.threads) as reranker:
        runs = [_measured("documents alone", reranker, task, collection.documents.__getitem__)]
        runs.append(_measured("truncate", reranker, task, long.__getitem__))
        for overlap in (0.0, 0.25, 0.5):
            runs += _windows(overlap, reranker, task, long)
    _print(runs)


def long_documents(collection: Collection) -> dict[str, str]:
    """Return each document among :data:`FILLERS` others, which are relevant to nothing."""
    rng = random.Random(SEED)
    relevant = {
        name
        for grades in collection.judgements.values()
        for name, grade in grades.items()
        if grade > 0
    }
    others = [name for name in collection.documents if name not in relevant]
    found = {}
    for name in collection.documents:
        chosen = rng.sample([other for other in others if other != name], FILLERS)
        chosen.insert(rng.randint(0, FILLERS), name)
        found[name] = "\n".join(collection.documents[one] for one in chosen)
    return found


def _task(collection: Collection, queries: int, candidates: int) -> Task:
    chosen = dict(random.Random(SEED).sample(sorted(collection.queries.items()), queries))
    return Task(
        queries=chosen,
        candidates=bm25_rankings(collection.documents, chosen, candidates),
        judgements={name: collection.judgements[name] for name in chosen},
    )


def _measured(name: str, reranker: Reranker, task: Task, text_of: Callable[[str], str]) -> Run:
    found, seconds = _ranked(reranker, task, text_of, None)
    return _run(name, task, found, seconds, lambda hit: hit.logit)


def _windows(overlap: float, reranker: Reranker, task: Task, long: Mapping[str, str]) -> list[Run]:
    """Read once, and score by the best window and by means of the best ones."""
    found, seconds = _ranked(reranker, task, long.__getitem__, Windows(overlap=overlap))
    runs = []
    for count in (1, 2, 3):

        def mean(hit: RankedDocument[str], count: int = count) -> float:
            best = sorted((window.logit for window in hit.windows), reverse=True)[:count]
            return sum(best) / len(best)

        how = "best window" if count == 1 else f"mean of best {count}"
        runs.append(_run(f"windows, overlap {overlap:g}, {how}", task, found, seconds, mean))
    return runs


Found = Mapping[str, Sequence[RankedDocument[str]]]


def _ranked(
    reranker: Reranker, task: Task, text_of: Callable[[str], str], windows: Windows | None
) -> tuple[Found, float]:
    begin = time.process_time()
    found = {
        name: reranker.rank(
            query,
            task.candidates[name],
            text_of=text_of,
            return_documents=True,
            long_documents=windows or "truncate",
        )
        for name, query in task.queries.items()
    }
    return found, time.process_time() - begin


def _run(
    name: str, task: Task, found: Found, seconds: float,
    score: Callable[[RankedDocument[str]], float],
) -> Run:  # fmt: skip
    rankings = {
        query: [hit.document or "" for hit in sorted(hits, key=score, reverse=True)]
        for query, hits in found.items()
    }
    tokens = sum(hit.tokens for hits in found.values() for hit in hits)
    return Run(name, per_query(rankings, task.judgements)[NDCG], seconds, tokens)


def _print(runs: Sequence[Run]) -> None:
    (cut,) = (run for run in runs if run.name == "truncate")
    print(f"| | {NDCG} | more than truncate (95 %) | CPU seconds | million tokens |")
    print("| --- | --- | --- | --- | --- |")
    for run in runs:
        mean = sum(run.values) / len(run.values)
        gain = difference(NDCG, (run.name, run.values), (cut.name, cut.values))
        print(
            f"| {run.name} | {mean:.3f} | {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) "
            f"| {run.seconds:.0f} | {run.tokens / 1e6:.2f} |"
        )


if __name__ == "__main__":
    main()
