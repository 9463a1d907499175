"""Lists of the second phase: fewer of them, and what the three teachers say of each."""

import hashlib
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
"""Mined lists that stay, unless it is said otherwise: two cores read about 17 a second."""
CROWD, LONG_QUERY, LONG_WEIGHT = 0.4, 7, 2.0
"""A source of n lists counts n ** (1 - CROWD) in them, a query of so many words as much as two."""


def crossed_lists(
    maker: StateMaker,
    mined: StateLists,
    passages: Sequence[Passage],
    queries: Sequence[Query],
    most: int,
    threads: int,
) -> tuple[StateLists, np.ndarray]:
    """Some of the mined lists, with the cross-encoder's logits; and their numbers."""
    numbers = drawn_lists(list_weights(mined, passages, queries), most)
    some = mined.some(numbers)
    logits = cross_logits(
        partial(cross_artifact, maker.work, maker.say),
        [query.text for query in queries],
        [passage.text for passage in passages],
        some.rows,
        some.owners,
        threads,
        maker.say,
        maker.work / f"crossed-{len(numbers)}-{maker.key}.npy",
    )
    return replace(some, third=logits), numbers


def list_weights(
    lists: StateLists, passages: Sequence[Passage], queries: Sequence[Query]
) -> np.ndarray:
    """How often each list should be drawn, by its source and its query's words; float64 [lists]."""
    sources = [passages[row[0]].source for row in lists.rows]
    words = np.array([len(queries[owner].text.split()) for owner in lists.owners])
    counts = Counter(sources)
    of_sources = np.array([counts[source] ** -CROWD for source in sources])
    found: np.ndarray = of_sources * np.where(words >= LONG_QUERY, LONG_WEIGHT, 1.0)
    return found


def drawn_lists(weights: np.ndarray, most: int) -> np.ndarray:
    """Numbers of ``most`` lists at most, in their order."""
    if len(weights) <= most:
        return np.arange(len(weights))
    rng = np.random.default_rng(len(weights))
    found: np.ndarray = np.sort(
        rng.choice(len(weights), most, replace=False, p=weights / weights.sum())
    )
    return found


def below_prefix(lower: StateMaker) -> str:
    """How names of states below the moving layers begin: other layers give other states."""
    digest = hashlib.sha256()
    for value in lower.model.encoder.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return f"below-{digest.hexdigest()[:8]}"


def second_of(
    maker: StateMaker,
    name: str,
    texts: TextStates,
    kept: Sequence[int],
    queries: bool,
    threads: int,
) -> np.ndarray:
    """The second teacher's vectors; ``kept``: the numbers of the words in its vocabulary."""
    return second_vectors(
        [[kept[one] for one in text] for text in texts.ids],
        maker.say,
        queries=queries,
        threads=threads,
        device=maker.device,
        file=maker.work / f"second-{name}-{maker.key}.npy",
    )


def second_of_mined(
    maker: StateMaker, mined: StateLists, kept: Sequence[int], threads: int
) -> Vectors:
    """Those of the mined lists' queries and passages."""
    return (
        second_of(maker, "queries", mined.queries, kept, True, threads),
        second_of(maker, "passages", mined.passages, kept, False, threads),
    )


def taught_lists(
    maker: StateMaker, kinds: Sequence[StateLists], kept: Sequence[int], threads: int
) -> list[TaughtLists]:
    """The same lists over states below the upper layers, with the bi-encoders' vectors.

    ``maker`` gives those states; ``kept`` are the numbers of the words in the teachers' vocabulary.
    """
    mined, rephrased, defined = kinds
    of_mined = second_of_mined(maker, mined, kept, threads)
    of_defined = (
        second_of(maker, "asked", defined.queries, kept, True, threads),
        second_of(maker, "texts", defined.passages, kept, False, threads),
    )
    prefix = below_prefix(maker)
    below = {
        name: maker.again(f"{prefix}-{name}", states.ids).on(maker.device)
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
