"""Lists where words mislead: queries in other words, and terms among definitions that use them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from .mining import FALSE_NEGATIVE_MARGIN, LIST_SIZE, Bm25
from .paraphrase import DICTIONARY, single_definitions, single_glosses
from .parse import read_text
from .passages import HELD_OUT_SHARE, fraction
from .queries import STOPWORDS, TERM_FORMS
from .sources import files_of
from .wordnet import Synset, Thesaurus

REPLACED = 0.75
"""Share of the words with a synonym that get one."""
LEAST_WORDS = 5
HARD, POOL = 6, 30
LEAST_LIKENESS = 0.75
"""Cosine of a query and itself in other words: below it, the words were of another sense."""


@dataclass(frozen=True)
class Definitions:
    """Queries, and for each the definitions that answer it, by position in ``texts``."""

    texts: list[str]
    queries: list[str]
    answers: list[tuple[int, ...]]


def rephrased(query: str, thesaurus: Thesaurus, rng: Random) -> str:
    """The query with some of its words replaced by synonyms; names and code stay."""
    words: list[str] = []
    for word in re.findall(r"[\w.+#'-]+|\S", query):
        plain = word.isalpha() and word.islower() and len(word) > 2 and word not in STOPWORDS
        others = thesaurus.synonyms(word) if plain else []
        words.append(rng.choice(others) if others and rng.random() < REPLACED else word)
    return " ".join(words)


def words_measured_with(work: Path, wordnet: str) -> set[str]:
    """The nouns that paraphrase.py may ask for: no definition of theirs is trained on."""
    definitions = single_definitions(read_text(files_of(DICTIONARY, work)[0]))
    return single_glosses(wordnet).keys() & definitions.keys()


def asked_definitions(
    thesaurus: Thesaurus, left_out: set[str], seed: int, most: int, terms: int, meanings: int
) -> Definitions:
    """Terms ("what is a loaf") and meanings in other words, asked of bare definitions.

    A term's answer does not name it, while other definitions use it. A meaning is the definition
    of one synset; its answer, that of a broader or similar one. Synsets of held-out text, and of
    the words in ``left_out``, take no part. At most ``most`` definitions are kept.
    """
    drawn = [
        name
        for name in sorted(thesaurus.synsets, key=lambda name: fraction(seed, "definition", name))
        if suits(thesaurus.synsets[name], left_out, seed)
    ][:most]
    place = {name: at for at, name in enumerate(drawn)}
    rng = Random(f"{seed} definitions")
    asked: list[tuple[str, tuple[int, ...]]] = []
    for at, name in enumerate(drawn):
        synset = thesaurus.synsets[name]
        unnamed = [
            word
            for word in synset.words
            if thesaurus.first.get(word) == name and word not in synset.definition.lower()
        ]
        if unnamed and len(asked) < terms:
            asked.append((rng.choice(TERM_FORMS).format(rng.choice(unnamed)), (at,)))
    for name in drawn:
        synset = thesaurus.synsets[name]
        near = tuple(place[other] for other in synset.broader + synset.similar if other in place)
        if near and len(asked) < terms + meanings:
            asked.append((synset.definition, near))
    texts = [thesaurus.synsets[name].definition for name in drawn]
    return Definitions(texts, [query for query, _ in asked], [answers for _, answers in asked])


def suits(synset: Synset, left_out: set[str], seed: int) -> bool:
    """Whether a synset may be trained on, and says enough."""
    enough = len(synset.definition.split()) >= LEAST_WORDS
    return enough and is_trained_on(synset, left_out, seed)


def is_trained_on(synset: Synset, left_out: set[str], seed: int) -> bool:
    """Whether it is neither held out nor of a word that is left out."""
    held_out = fraction(seed, "wordnet", synset.words[0], "split") < HELD_OUT_SHARE
    return not held_out and not left_out & set(synset.words)


def definition_lists(
    found: Definitions, of_texts: np.ndarray, of_queries: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lists as mining.mine gives them; the arrays hold the bi-encoder's vectors.

    The teacher is the cosine alone: BM25 is what misleads here.
    """
    lexical, _ = Bm25(found.texts).top(found.queries, POOL)
    rows: list[list[int]] = []
    for query, answers in enumerate(found.answers):
        rng = Random(f"{seed} definition {query}")
        cosines = of_texts @ of_queries[query]
        answer = max(answers, key=lambda at: cosines[at])
        limit = cosines[answer] + FALSE_NEGATIVE_MARGIN
        near = np.argpartition(-cosines, min(POOL, len(cosines) - 1))[:POOL]
        pools = [
            hard_ones(pool.tolist(), found, query, cosines, limit)
            for pool in (lexical[query], near)
        ]
        hard = rng.sample(pools[0], min(HARD // 2, len(pools[0])))
        rest = [at for at in pools[1] if at not in hard]
        hard += rng.sample(rest, min(HARD - len(hard), len(rest)))
        drawn = rng.sample(range(len(found.texts)), min(3 * LIST_SIZE, len(found.texts)))
        others = [at for at in drawn if at not in {*hard, *answers}]
        rows.append([answer, *hard, *others[: LIST_SIZE - 1 - len(hard)]])
    lists, owners = np.array(rows), np.arange(len(rows))
    return lists, owners, list_cosines(of_queries, of_texts, owners, lists)


def list_cosines(
    of_queries: np.ndarray, of_texts: np.ndarray, owners: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """The cosine of each list's query and its texts, of unit vectors; [lists, size]."""
    found = [of_texts[row] @ of_queries[owner] for row, owner in zip(rows, owners, strict=True)]
    return np.array(found, dtype=np.float32)


def hard_ones(
    pool: Sequence[int], found: Definitions, query: int, cosines: np.ndarray, limit: float
) -> list[int]:
    """Those of a pool that are hardly answers, nor the query itself."""
    return [
        at
        for at in dict.fromkeys(pool)
        if at not in found.answers[query]
        and cosines[at] <= limit
        and found.texts[at] != found.queries[query]
    ]


def rephrased_queries(
    queries: Sequence[str], thesaurus: Thesaurus, seed: int, say: Callable[[str], None]
) -> list[str]:
    """Each query in other words; the same where it has no word with a synonym."""
    made = [rephrased(q, thesaurus, Random(f"{seed} rephrase {q}")) for q in queries]
    changed = sum(old != new for old, new in zip(queries, made, strict=True))
    say(f"{changed} of {len(queries)} queries in other words")
    return made
