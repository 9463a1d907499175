"""Lists of the second phase: fewer of them, and what the three teachers say of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from .correct import StateLists
from .cross_teacher import cross_artifact, cross_logits
from .passages import Passage
from .queries import Query
from .second_teacher import second_vectors
from .token_states import StateMaker, TextStates
from .upper import TaughtLists, Vectors

CROSSED_LISTS = 12_000
"""Mined lists that stay: the cross-encoder reads about 17 a second on two cores."""
CROWD, LONG_QUERY, LONG_WEIGHT = 0.4, 7, 2.0
"""A source of n lists counts n ** (1 - CROWD) in them, a query of so many words as much as two."""


def crossed_lists(
    maker: StateMaker,
    mined: StateLists,
    passages: Sequence[Passage],
    queries: Sequence[Query],
    threads: int,
) -> StateLists:
    """Some of the mined lists, with the cross-encoder's logits."""
    sources = [passages[row[0]].source for row in mined.rows]
    words = [len(queries[owner].text.split()) for owner in mined.owners]
    some = mined.some(drawn_lists(sources, words, CROSSED_LISTS))
    logits = cross_logits(
        partial(cross_artifact, maker.work, maker.say),
        [query.text for query in queries],
        [passage.text for passage in passages],
        some.rows,
        some.owners,
        threads,
        maker.say,
        maker.work / f"crossed-{maker.key}.npy",
    )
    return replace(some, third=logits)


def drawn_lists(sources: Sequence[str], words: Sequence[int], most: int) -> np.ndarray:
    """Numbers of ``most`` lists at most, drawn by their sources and their queries' words."""
    if len(sources) <= most:
        return np.arange(len(sources))
    lists = Counter(sources)
    weights = np.array([lists[source] ** -CROWD for source in sources])
    weights *= np.where(np.array(words) >= LONG_QUERY, LONG_WEIGHT, 1.0)
    rng = np.random.default_rng(len(sources))
    found: np.ndarray = np.sort(
        rng.choice(len(sources), most, replace=False, p=weights / weights.sum())
    )
    return found


def taught_lists(
    maker: StateMaker, kinds: Sequence[StateLists], kept: Sequence[int], upper: int, threads: int
) -> list[TaughtLists]:
    """The same lists over states below the upper layers, with the bi-encoders' vectors.

    ``maker`` gives those states; ``kept`` are the numbers of the words in the teachers' vocabulary.
    """

    def seconds(name: str, texts: TextStates, queries: bool) -> np.ndarray:
        return second_vectors(
            [[kept[one] for one in text] for text in texts.ids],
            maker.say,
            queries=queries,
            threads=threads,
            device=maker.device,
            file=maker.work / f"second-{name}-{maker.key}.npy",
        )

    mined, rephrased, defined = kinds
    of_mined = seconds("queries", mined.queries, True), seconds("passages", mined.passages, False)
    of_defined = seconds("asked", defined.queries, True), seconds("texts", defined.passages, False)
    below = {
        name: maker.again(f"below-{upper}-{name}", states.ids).on(maker.device)
        for name, states in (
            *(("passages", mined.passages), ("queries", mined.queries)),
            *(("rephrased", rephrased.queries), ("texts", defined.passages)),
            ("asked", defined.queries),
        )
    }
    first = mined.queries.means, mined.passages.means  # in other words the sense is the same

    def made(
        kind: StateLists, passages: str, queries: str, one: Vectors, two: Vectors
    ) -> TaughtLists:
        states = {"passages": below[passages], "queries": below[queries]}
        return TaughtLists(**{**vars(kind), **states}, first=one, second=two)

    return [
        made(mined, "passages", "queries", first, of_mined),
        made(rephrased, "passages", "rephrased", first, of_mined),
        made(
            defined, "texts", "asked",
            (defined.queries.means, defined.passages.means), of_defined,
        ),
    ]  # fmt: skip
