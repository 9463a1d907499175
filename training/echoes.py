"""Lists of echoes: texts that have a question's words and do not answer it, and one that does.

Most of what a first stage finds is of that kind: other questions, and sentences that use the word
in passing. Both can be had from the training's own text.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random

from .mining import Bm25
from .passages import Passage
from .queries import STOPWORDS, Query
from .rephrase import Definitions
from .text_lists import TextLists, TextListsInMaking

ECHOES = 5
"""Texts of a list beside the answer."""
FOUND, NEAR = 40, 12
"""What BM25 finds for a question, and how many of those that suit the echoes are drawn from."""
LONGEST_QUESTION = 8
"""Words of a question on documentation; in a longer one, shared words say much."""
QUESTIONS = 12_000
"""Questions on documentation that are asked, at most."""
FORM = STOPWORDS | {
    "mean", "means", "meaning", "define", "definition", "explain", "work", "works", "need", "want",
    "software", "what", "how", "does", "find", "library", "tool", "package", "do", "i", "way",
    "example", "examples", "set", "get", "make",
}  # fmt: skip
"""Words that say how something is asked, rather than what."""


class EchoPool:
    """Where echoes are found: texts that answer no question."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(dict.fromkeys(texts))
        self._index = Bm25(self.texts)

    def near(self, questions: Sequence[str]) -> list[list[str]]:
        """For each question the texts that have most of its words, best first."""
        asked = [" ".join(sorted(subject(question))) for question in questions]
        found, scores = self._index.top(asked, FOUND)
        return [
            [self.texts[i] for i, score in zip(row, own, strict=True) if score > 0]
            for row, own in zip(found, scores, strict=True)
        ]


def subject(question: str) -> set[str]:
    """The words that say what is asked for."""
    words = re.findall(r"\w+", question.lower())
    return {word for word in words if word not in FORM and len(word) > 2}


def drawn_echoes(
    suited: list[str], pool: EchoPool, answers: Callable[[str], bool], rng: Random
) -> list[str]:
    """ECHOES texts that don't answer: of those that suit, the rest from the whole pool.

    None where only one suits.
    """
    suited = [text for text in suited if not answers(text)]
    if len(suited) < 2:
        return []
    drawn = rng.sample(suited[:NEAR], min(ECHOES, len(suited[:NEAR])))
    others = rng.sample(pool.texts, min(3 * ECHOES, len(pool.texts)))
    drawn += [text for text in others if text not in drawn and not answers(text)]
    return drawn[:ECHOES] if len(drawn) >= ECHOES else []


def echoed_terms(found: Definitions, terms: int, pool: EchoPool, seed: int) -> TextLists:
    """The definitions of the first ``terms`` queries, against texts that only use the term."""
    rng, made = Random(f"{seed} echoed terms"), TextListsInMaking()
    places = [at for at in range(min(terms, len(found.queries))) if subject(found.queries[at])]
    near = pool.near([found.queries[at] for at in places])
    for at, texts in zip(places, near, strict=True):
        question = found.queries[at]
        right = {question, *(found.texts[answer] for answer in found.answers[at])}
        suited = [text for text in texts if subject(question) & subject(text)]
        if echoes := drawn_echoes(suited, pool, right.__contains__, rng):
            made.add(question, [found.texts[found.answers[at][0]], *echoes])
    return made.made()


def echoed_questions(
    queries: Sequence[Query], passages: Sequence[Passage], pool: EchoPool, seed: int
) -> TextLists:
    """The answers of short questions, against other questions that have half of their words.

    A question that the same passage answers is no echo.
    """
    rng, made = Random(f"{seed} echoed questions"), TextListsInMaking()
    answered: dict[str, set[int]] = defaultdict(set)
    for query in queries:
        answered[query.text] |= {query.passage, *query.relevant}
    short = [
        query
        for query in queries
        if len(subject(query.text)) >= 2 and len(query.text.split()) <= LONGEST_QUESTION
    ]
    asked = rng.sample(short, min(QUESTIONS, len(short)))
    for query, texts in zip(asked, pool.near([q.text for q in asked]), strict=True):
        words, right = subject(query.text), answered[query.text]

        def answers(text: str, right: set[int] = right) -> bool:
            return bool(answered.get(text, set()) & right)

        suited = [text for text in texts if 2 * len(words & subject(text)) >= len(words)]
        if echoes := drawn_echoes(suited, pool, answers, rng):
            made.add(query.text, [passages[query.passage].text, *echoes])
    return made.made()
