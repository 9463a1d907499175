"""Pairs that measure accuracy: ranked lists of held-out text, with what makes rerankers stumble.

The text is that of ``edge_rerank_training``: documents that its split holds out, so neither the
training nor the calibration has seen them. Each query has one list, which mixes its answers with
passages of the same and of other sources, long and short ones, and adversarial repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

LISTS, LIST_SIZE = 24, 30
TEXT_SEED = 0
"""The seed of the training's text and of its split; what is held out depends on it."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RankedList:
    """A query and the passages to rank for it."""

    query: str
    passages: tuple[str, ...]


def ranked_lists(
    work: Path, say: Say, *, lists: int = LISTS, seed: int = 0, held_out: bool = True
) -> list[RankedList]:
    """Make lists of ``LIST_SIZE`` passages from the text in a training's work folder."""
    # Here, so that other text can be mixed without torch and the teacher.
    from edge_rerank_training.prepare import prepare
    from edge_rerank_training.teacher import embed

    passages, queries = prepare(work, TEXT_SEED, say)
    vectors = embed(
        [passage.text for passage in passages], say, file=work / f"passages-{TEXT_SEED}.npy"
    )
    asked_vectors = embed(
        [query.text for query in queries], say, file=work / f"queries-{TEXT_SEED}.npy"
    )
    asked = [place for place, query in enumerate(queries) if query.held_out == held_out]
    known = np.array(
        [place for place, passage in enumerate(passages) if passage.held_out == held_out]
    )
    rng = Random(f"{seed} accuracy")
    sources = sorted({queries[place].source for place in asked})
    made = []
    for index in range(lists):
        source = sources[index % len(sources)]
        place = rng.choice(
            [candidate for candidate in asked if queries[candidate].source == source]
        )
        close = known[np.argsort(-(vectors[known] @ asked_vectors[place]), kind="stable")]
        query = queries[place]
        ranked = [passages[other].text for other in close.tolist() if other != query.passage]
        made.append(mixed_list(query.text, passages[query.passage].text, ranked, rng))
    return made


def mixed_list(query: str, answer: str, ranked: Sequence[str], rng: Random) -> RankedList:
    """Mix a list; ``ranked`` has all other passages, those nearest to the query first."""
    near, rest = ranked[:40], ranked[40:]
    made = [answer, *rng.sample(near, 14), *rng.sample(rest, 3)]
    made += [" ".join(rng.sample(near, 4)), " ".join([answer, *rng.sample(rest, 3)])]
    made += [_start(text, rng) for text in (answer, *rng.sample(near, 4))]
    return RankedList(query, (*made, *_repeats(query, answer, rng)))


def _repeats(query: str, answer: str, rng: Random) -> list[str]:
    """Return what tries to look relevant by repetition."""
    word = rng.choice(query.split())
    words = answer.split()
    return [
        query,
        f"{query} " * rng.randint(5, 20),
        f"{word} " * rng.randint(8, 60),
        f"{answer} {query}. {query}.",
        " ".join(rng.sample(words, len(words))),
    ]


def _start(text: str, rng: Random) -> str:
    return " ".join(text.split()[: rng.randint(2, 12)])
