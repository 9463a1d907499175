"""Pairs to score, the same on every run: text of our own, cut and mixed by a seeded generator."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tools.emulation.passages import ODD, TOPICS

Pair = tuple[str, str]
QUERY = "list files sorted by size"
RANKED = 100


@dataclass(frozen=True, slots=True)
class PairSet:
    """Passages of one query to rank, and pairs of every other kind."""

    ranked: tuple[Pair, ...]
    varied: tuple[Pair, ...]

    @property
    def pairs(self) -> list[Pair]:
        """All of them, the ranked ones first."""
        return [*self.ranked, *self.varied]


def full() -> PairSet:
    """Make the full set: 600 pairs, some longer than the model takes."""
    return _make(varied=500, passage=(10, 30), longest=600)


def reduced() -> PairSet:
    """Make a set for CI: 150 pairs, short ones, since an emulated CPU reads 50 tokens a second."""
    return _make(varied=50, passage=(5, 9), longest=60)


def _make(varied: int, passage: tuple[int, int], longest: int) -> PairSet:
    rng = random.Random(20)
    ranked = tuple((QUERY, _slice(rng, _any_topic(rng), *passage)) for _ in range(RANKED))
    kinds = [kind for kind, share in _SHARES.items() for _ in range(share)]
    return PairSet(ranked, tuple(kinds[i % len(kinds)](rng, longest) for i in range(varied)))


def _short(rng: random.Random, longest: int) -> Pair:
    topic = _any_topic(rng)
    return _slice(rng, topic, 1, 3), _slice(rng, topic, 1, 4)


def _on_topic(rng: random.Random, longest: int) -> Pair:
    topic = _any_topic(rng)
    return rng.choice(TOPICS[topic][0]), _slice(rng, topic, 4, min(30, longest // 4))


def _off_topic(rng: random.Random, longest: int) -> Pair:
    one, other = rng.sample(sorted(TOPICS), 2)
    return rng.choice(TOPICS[one][0]), _slice(rng, other, 4, min(30, longest // 4))


def _repeats(rng: random.Random, longest: int) -> Pair:
    """Give a document that repeats the query, or a single word of it, over and over."""
    query = rng.choice(TOPICS[_any_topic(rng)][0])
    word = rng.choice([query, *query.split()])
    return query, " ".join([word] * rng.randint(2, max(2, longest // 8 // len(word.split()))))


def _odd(rng: random.Random, longest: int) -> Pair:
    mixed = " ".join(rng.choices(ODD, k=rng.randint(1, 1 + longest // 60)))
    question = rng.choice(TOPICS[_any_topic(rng)][0])
    return (mixed, rng.choice(ODD)) if rng.random() < 0.3 else (question, mixed)


def _long(rng: random.Random, longest: int) -> Pair:
    topic = _any_topic(rng)
    return rng.choice(TOPICS[topic][0]), _slice(rng, topic, longest // 2, longest)


def _empty(rng: random.Random, longest: int) -> Pair:
    text = _slice(rng, _any_topic(rng), 2, 8)
    return rng.choice([("", text), (text, ""), ("", ""), (text, "  \t\n ")])


_SHARES: dict[Callable[[random.Random, int], Pair], int] = {
    _short: 4,
    _on_topic: 4,
    _off_topic: 4,
    _repeats: 3,
    _odd: 3,
    _empty: 1,
    _long: 1,  # they take as much time as all others
}
"""Of twenty varied pairs, how many are of each kind."""


def _any_topic(rng: random.Random) -> str:
    return rng.choice(sorted(TOPICS))


def _slice(rng: random.Random, topic: str, fewest: int, most: int) -> str:
    """Give so many words in a row of a topic's sentences, in shuffled order of sentences."""
    count = rng.randint(fewest, most)
    words: list[str] = []
    while len(words) < 2 * count:
        sentences = list(TOPICS[topic][1])
        rng.shuffle(sentences)
        words += " ".join(sentences).split()
    start = rng.randint(0, len(words) - count)
    return " ".join(words[start : start + count])
