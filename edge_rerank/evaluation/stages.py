"""First stages: BM25 in a process of its own, or a run that another system wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edge_rerank.errors import EngineError, InputError, shown
from edge_rerank.evaluation.child import Child, ChildError
from edge_rerank.evaluation.choices import as_text
from edge_rerank.evaluation.collection import Collection
from edge_rerank.evaluation.figures import FirstStage, Measured
from edge_rerank.evaluation.measures import recall
from edge_rerank.evaluation.runs import read_run

BM25 = "bm25"
_AT_A_TIME = 500  # documents of a message


@dataclass(frozen=True, slots=True)
class Found:
    """What a first stage found."""

    stage: FirstStage
    measured: Measured

    @property
    def documents(self) -> Mapping[str, list[str]]:
        """Each query's documents, best first."""
        return self.measured.documents()


def stage_names(stages: tuple[str, ...]) -> list[str]:
    """Return what the stages are called: a run by its file's name, without the ending."""
    if not stages:
        raise InputError("first_stages is empty; expected bm25 or files of runs")
    if len(set(stages)) < len(stages):
        raise InputError(f"first_stages is {shown(list(stages))}; expected each of them once")
    if "" in stages:
        raise InputError("the first stage's name is empty; is the shell variable set?")
    names = [stage if stage == BM25 else Path(stage).name.partition(".")[0] for stage in stages]
    return [
        as_text(name if name and names.count(name) == 1 else stage)
        for name, stage in zip(names, stages, strict=True)
    ]


def find(stage: str, name: str, collection: Collection, depth: int) -> Found:
    """Run BM25, or read a run; raises InputError, or EngineError where BM25's process fails."""
    measured = Measured(name, name, reranked=False)
    index_seconds = None
    if stage == BM25:
        index_seconds = _run_bm25(collection, depth, measured)
    else:
        for query, documents in read_run(stage, collection).items():
            measured.rankings[query] = [
                (document, -float(rank)) for rank, document in enumerate(documents[:depth])
            ]
    found = measured.documents()
    shares = [recall(found[query], grades) for query, grades in collection.judgements.items()]
    facts = FirstStage(
        name=name,
        run=None if stage == BM25 else Path(stage),
        depth=depth,
        pairs=sum(map(len, found.values())),
        recall_at_depth=sum(shares) / len(shares),
        index_seconds=index_seconds,
    )
    if not facts.pairs:
        raise InputError(f"{collection.name}: no query shares a word with any document")
    return Found(facts, measured)


def _run_bm25(collection: Collection, depth: int, measured: Measured) -> float:
    """Index and search in a process of its own; return what the index took."""
    names = list(collection.documents)
    try:
        with Child() as child:
            child.ask("prepare", queries=list(collection.queries.values()))
            seconds = sum(
                child.ask("add", documents=texts)["seconds"]
                for texts in _chunks(collection.documents)
            )
            seconds += child.ask("finish")["seconds"]
            for query, text in collection.queries.items():
                answer = child.ask("find", query=text, depth=depth)
                measured.seconds.append(answer["seconds"])
                measured.rankings[query] = [(names[at], score) for at, score in answer["ranked"]]
            measured.peak_bytes = child.ask("memory")["peak_bytes"]
    except ChildError as error:
        raise EngineError(f"BM25 failed: {error}") from None
    return float(seconds)


def _chunks(documents: Mapping[str, str]) -> Iterator[list[str]]:
    texts = iter(documents.values())
    while chunk := list(islice(texts, _AT_A_TIME)):
        yield chunk
