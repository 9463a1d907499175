"""Pairs to score, the same on every run: text of our own, cut and mixed by a seeded generator."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tools.emulation.passages import ODD, TOPICS

Pair = tuple[str, str]
QUERY = "list files sorted by size"
_SHORT = 500
"""How many pairs, at most, are short enough for a slow kernel."""


class Part(Enum):
    """Which of the pairs a run scores."""

    ALL = "all"
    SOME = "some"
    """The ranked ones, whose tau needs them all, and every third of the others."""
    SHORT = "short"
    """As many of the short ones as a slow kernel can be asked for."""


@dataclass(frozen=True, slots=True)
class PairSet:
    """Passages of one query to rank, and pairs of every other kind."""

    ranked: tuple[Pair, ...]
    varied: tuple[Pair, ...]
    brief: int
    """How many of them a slow kernel scores."""

    @property
    def pairs(self) -> list[Pair]:
        """All of them, the ranked ones first."""
        return [*self.ranked, *self.varied]

    def places(self, part: Part) -> list[int]:
        """Return the places of the pairs to score, in order."""
        pairs = self.pairs
        if part == Part.ALL:
            return list(range(len(pairs)))
        if part == Part.SOME:
            ranked = len(self.ranked)
            return [*range(ranked), *range(ranked, len(pairs), 3)]
        by_length = sorted(range(len(pairs)), key=lambda place: sum(map(len, pairs[place])))
        short = by_length[:_SHORT]
        return sorted(short[:: len(short) // self.brief])


def full() -> PairSet:
    """Make the full set: 520 pairs, one in a hundred of 150 to 300 words."""
    return _make(ranked=100, varied=420, passage=(4, 10), usual=18, longest=300, brief=500)


def reduced() -> PairSet:
    """Make a set for CI: 40 pairs, short ones, since an emulated CPU reads 50 tokens a second."""
    return _make(ranked=24, varied=16, passage=(5, 9), usual=15, longest=60, brief=10)


def _make(
    *, ranked: int, varied: int, passage: tuple[int, int], usual: int, longest: int, brief: int
) -> PairSet:
    rng = random.Random(20)
    passages = tuple((QUERY, _slice(rng, _any_topic(rng), *passage)) for _ in range(ranked))
    others = rng.choices(list(_SHARES), list(_SHARES.values()), k=varied - len(_SHARES))
    kinds = [*_SHARES, *others]
    return PairSet(passages, tuple(kind(rng, usual, longest) for kind in kinds), brief)


def _short(rng: random.Random, usual: int, longest: int) -> Pair:
    topic = _any_topic(rng)
    return _slice(rng, topic, 1, 3), _slice(rng, topic, 1, 4)


def _on_topic(rng: random.Random, usual: int, longest: int) -> Pair:
    topic = _any_topic(rng)
    return rng.choice(TOPICS[topic][0]), _slice(rng, topic, 4, usual)


def _off_topic(rng: random.Random, usual: int, longest: int) -> Pair:
    one, other = rng.sample(sorted(TOPICS), 2)
    return rng.choice(TOPICS[one][0]), _slice(rng, other, 4, usual)


def _repeats(rng: random.Random, usual: int, longest: int) -> Pair:
    """Return a document that repeats the query, or a single word of it, over and over."""
    query = rng.choice(TOPICS[_any_topic(rng)][0])
    word = rng.choice([query, *query.split()])
    return query, " ".join([word] * rng.randint(2, max(2, 2 * usual // len(word.split()))))


def _odd(rng: random.Random, usual: int, longest: int) -> Pair:
    mixed = " ".join(rng.choices(ODD, k=rng.randint(1, 1 + usual // 12)))
    question = rng.choice(TOPICS[_any_topic(rng)][0])
    return (mixed, rng.choice(ODD)) if rng.random() < 0.3 else (question, mixed)


def _long(rng: random.Random, usual: int, longest: int) -> Pair:
    topic = _any_topic(rng)
    return rng.choice(TOPICS[topic][0]), _slice(rng, topic, longest // 2, longest)


def _empty(rng: random.Random, usual: int, longest: int) -> Pair:
    text = _slice(rng, _any_topic(rng), 2, 8)
    return rng.choice([("", text), (text, ""), ("", ""), (text, "  \t\n ")])


_SHARES: dict[Callable[[random.Random, int, int], Pair], int] = {
    _short: 25,
    _on_topic: 20,
    _off_topic: 20,
    _repeats: 14,
    _odd: 14,
    _empty: 6,
    _long: 1,  # a long pair takes as much time as twenty others
}
"""Of a hundred varied pairs, about how many are of each kind; there is at least one of each."""


def _any_topic(rng: random.Random) -> str:
    return rng.choice(sorted(TOPICS))


def _slice(rng: random.Random, topic: str, fewest: int, most: int) -> str:
    """Return some words in a row of a topic's sentences, in shuffled order of sentences."""
    count = rng.randint(fewest, most)
    words: list[str] = []
    while len(words) < 2 * count:
        sentences = list(TOPICS[topic][1])
        rng.shuffle(sentences)
        words += " ".join(sentences).split()
    start = rng.randint(0, len(words) - count)
    return " ".join(words[start : start + count])
