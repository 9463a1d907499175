"""Text to rank, without a download: the documentation that comes with Python itself.

``pydoc_data.topics`` is what ``help()`` prints about the language: prose, a megabyte of it. Its
wording follows the Python that runs; a run records the digest of what it was given.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

Pair = tuple[str, str]
QUERY_WORDS = 8
_LEAST_WORDS = 6
_PROSE = re.compile(r"^[A-Z(].*[.:!?)]$", re.DOTALL)
_NO_MARKUP = str.maketrans("", "", '"*`|')


@dataclass(frozen=True, slots=True)
class Texts:
    """Sentences by topic, in their order."""

    topics: tuple[tuple[str, ...], ...]

    @property
    def sha256(self) -> str:
        """Digest of all sentences."""
        joined = "\n\n".join("\n".join(topic) for topic in self.topics)
        return hashlib.sha256(joined.encode()).hexdigest()

    def query(self, rng: Random, topic: int) -> str:
        """Return the first words of a sentence of the topic."""
        return " ".join(rng.choice(self.topics[topic]).split()[:QUERY_WORDS])

    def passage(self, rng: Random, topic: int, words: int) -> str:
        """Return ``words`` words of the topic, from the beginning of some sentence of it on.

        A topic that ends too soon begins again.
        """
        sentences = self.topics[topic]
        place = rng.randrange(len(sentences))
        found: list[str] = []
        while len(found) < words:
            found += sentences[place % len(sentences)].split()
            place += 1
        return " ".join(found[:words])

    def ranking(self, rng: Random, passages: int, words: int) -> list[Pair]:
        """Return a query with passages, the first of its own topic and every fourth as well."""
        own = rng.randrange(len(self.topics))
        query = self.query(rng, own)
        places = [
            own if index % 4 == 0 else rng.randrange(len(self.topics)) for index in range(passages)
        ]
        return [(query, self.passage(rng, place, words)) for place in places]

    def stream(
        self, rng: Random, pairs: int, per_query: int, lengths: tuple[int, int]
    ) -> list[Pair]:
        """Return pairs of many queries, each passage of another length between the two, in words.

        Short ones are more frequent, as in collections of passages.
        """
        least, most = lengths
        found: list[Pair] = []
        while len(found) < pairs:
            words = round(least + (most - least) * rng.random() ** 2)
            if len(found) % per_query == 0:
                own = rng.randrange(len(self.topics))
                query = self.query(rng, own)
            topic = own if rng.random() < 0.4 else rng.randrange(len(self.topics))
            found.append((query, self.passage(rng, topic, words)))
        return found


def python_topics() -> Texts:
    """Read Python's own documentation; raises ModuleNotFoundError where it was left out."""
    from pydoc_data.topics import topics

    return texts_of(topics)


def texts_of(topics: Mapping[str, str]) -> Texts:
    """Return the prose of topics that have some; raises ValueError when none has."""
    found = (tuple(_sentences(topics[name])) for name in sorted(topics))
    kept = tuple(topic for topic in found if len(topic) >= 5)
    if not kept:
        raise ValueError("there is no prose in these texts")
    return Texts(kept)


def _sentences(text: str) -> list[str]:
    """Return a topic's sentences: code, grammar and tables are left out."""
    plain = text.translate(_NO_MARKUP)
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", plain))
    prose = (
        part
        for part in paragraphs
        if _PROSE.match(part) and "::=" not in part and ">>>" not in part
    )
    sentences = (
        sentence for paragraph in prose for sentence in re.split(r"(?<=[.!?]) ", paragraph)
    )
    return [sentence for sentence in sentences if len(sentence.split()) >= _LEAST_WORDS]
