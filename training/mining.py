"""Lists to train on: a query, a passage that answers it, and passages that do not."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import Stemmer

from edge_rerank.files import whole_file

from .passages import Passage
from .queries import Query

# bm25s calls JAX as it is imported, where that is installed, and at its first call JAX takes three
# quarters of a GPU's memory, which training needs. For bm25s the CPU will do.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import bm25s

LIST_SIZE = 8
HARD = 5
POOL = 50
# Lists made for each query, each with an answer and hard passages of its own.
DRAWS = 2
# A passage that the teacher puts this far above the known answer is likely an answer as well.
FALSE_NEGATIVE_MARGIN = 0.1
# The teacher is the bi-encoder's cosine plus this much of BM25's score, as a share of the query's
# best. Over BM25's best 100 for 1,200 training queries the sum has an nDCG@10 of 0.555, the cosine
# alone 0.522, BM25 0.497.
LEXICAL_WEIGHT = 0.3


class Bm25:
    """Lucene's BM25 (k1 1.5, b 0.75) over stemmed words without stop words."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.stemmer = Stemmer.Stemmer("english")
        self.index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        self.size = len(texts)
        self.index.index(self.tokens(texts), show_progress=False)

    def tokens(self, texts: Sequence[str]) -> Any:
        """Stems of each text, as bm25s numbers them."""
        return bm25s.tokenize(
            list(texts), stopwords="en", stemmer=self.stemmer, show_progress=False
        )

    def stems(self, texts: Sequence[str]) -> list[list[str]]:
        """Stems of each text as words."""
        found: list[list[str]] = bm25s.tokenize(
            list(texts),
            stopwords="en",
            stemmer=self.stemmer,
            show_progress=False,
            return_ids=False,
        )
        return found

    def top(self, queries: Sequence[str], most: int) -> tuple[np.ndarray, np.ndarray]:
        """Passage positions and scores, both [queries, most], best first."""
        found, scores = self.index.retrieve(
            self.tokens(queries),
            k=min(most, self.size),
            show_progress=False,
            backend_selection="numpy",  # the same with JAX and without
        )
        return found, scores

    def scores(self, query: str) -> np.ndarray:
        """Scores of one query against every passage, as shares of the best one; [passages]."""
        words = self.stems([query])[0]
        known = [word for word in words if word in self.index.vocab_dict]
        if not known:
            return np.zeros(self.size, dtype=np.float32)
        scores: np.ndarray = self.index.get_scores(known)
        return scores / max(float(scores.max()), 1e-6)


def sources_in(passages: Sequence[Passage]) -> list[str]:
    """Names of the sources, in the order of their passages."""
    return list(dict.fromkeys(passage.source for passage in passages))


def hard_pool(
    query: int, queries: Sequence[Query], candidates: Sequence[int], teacher: np.ndarray
) -> list[int]:
    """Candidates that are hardly answers; teacher holds the cosine of every passage."""
    own = set(queries[query].relevant)
    limit = teacher[queries[query].passage] + FALSE_NEGATIVE_MARGIN
    return [c for c in dict.fromkeys(candidates) if c not in own and teacher[c] <= limit]


def draw_list(
    query: Query,
    lexical: Sequence[int],
    semantic: Sequence[int],
    members: np.ndarray,
    others: np.ndarray,
    draw: int,
    rng: Random,
) -> list[int] | None:
    """One list: an answer, HARD of the two pools, some of the source, one of another source.

    The first draw's answer is the passage that the query was made from. None where the source is
    too small for a list.
    """
    answer = query.passage if draw == 0 else rng.choice(query.relevant)
    hard = rng.sample(lexical, min(3, len(lexical)))
    rest = [c for c in semantic if c not in hard]
    hard += rng.sample(rest, min(HARD - len(hard), len(rest)))
    outside = set(query.relevant) | set(hard)
    free = [int(c) for c in members[rng.choices(range(len(members)), k=30)] if c not in outside]
    negatives = hard + list(dict.fromkeys(free))[: LIST_SIZE - 2 - len(hard)]
    if len(negatives) < LIST_SIZE - 2:
        return None
    return [answer, *negatives, int(rng.choice(others))]


def mine(
    passages: Sequence[Passage],
    queries: Sequence[Query],
    passage_vectors: np.ndarray,
    query_vectors: np.ndarray,
    seed: int,
    say: Callable[[str], None],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lists [n, LIST_SIZE] of passage indices, the row's query [n] and the teacher's scores.

    Held-out text takes no part. The scores [n, LIST_SIZE] are cosines plus a share of BM25's.

    A row: the answer, HARD passages of the same source that BM25 or the teacher ranks high, one of
    the source at random, and last one of another source, which is off topic.
    """
    lists: list[list[int]] = []
    owners: list[int] = []
    wanted: list[np.ndarray] = []
    everything = np.array([i for i, p in enumerate(passages) if not p.held_out])
    for source in sources_in(passages):
        members = np.array([i for i in everything if passages[i].source == source])
        others = np.array([i for i in everything if passages[i].source != source])
        asked = [i for i, q in enumerate(queries) if q.source == source and not q.held_out]
        lexicon = Bm25([passages[i].text for i in members])
        place = {int(member): at for at, member in enumerate(members)}
        found, _ = lexicon.top([queries[i].text for i in asked], POOL)
        for row, query in enumerate(asked):
            cosines = np.full(len(passages), -1.0, dtype=np.float32)
            cosines[members] = passage_vectors[members] @ query_vectors[query]
            near = members[np.argsort(-cosines[members], kind="stable")[:POOL]]
            lexical = hard_pool(query, queries, members[found[row]].tolist(), cosines)
            semantic = hard_pool(query, queries, near.tolist(), cosines)
            shares = lexicon.scores(queries[query].text)
            for draw in range(DRAWS):
                rng = Random(f"{seed} mine {query} {draw}")
                row_of = draw_list(queries[query], lexical, semantic, members, others, draw, rng)
                if row_of is not None:
                    lexical_of = [shares[place[c]] if c in place else 0.0 for c in row_of]
                    cosine_of = passage_vectors[row_of] @ query_vectors[query]
                    lists.append(row_of)
                    owners.append(query)
                    weighted = LEXICAL_WEIGHT * np.array(lexical_of, dtype=np.float32)
                    wanted.append(cosine_of + weighted)
        say(f"mined {source}: {len(asked)} queries over {len(members)} passages")
    return np.array(lists), np.array(owners), np.array(wanted, dtype=np.float32)


def mine_once(file: Path, *rest: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mine, kept in a file of the work folder for the next run."""
    if not file.exists():
        lists, owners, wanted = mine(*rest)
        with whole_file(file) as stream:
            np.savez(stream, lists=lists, owners=owners, wanted=wanted)
    with np.load(file) as saved:
        return saved["lists"], saved["owners"], saved["wanted"]
