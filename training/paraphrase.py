"""A test set where shared words mislead: one dictionary's definition, asked of another's.

The query is WordNet's definition of a noun, the answer the definition that the Collaborative
International Dictionary of English (1913) gives for the same noun. Their authors wrote
independently of one another. Kept are nouns with one sense in both, whose two definitions share
at most one word stem; the other candidates are the definitions that BM25 finds most like the query.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from .collection import Collection
from .mining import Bm25
from .parse import read_text
from .passages import fraction
from .section import squeeze
from .sources import Source, files_of
from .teacher import embed

DICTIONARY = Source("gcide", "dict-gcide", "usr/share/dictd/*.dz", "dict", "GPL-2.0+", 0)
WORDNET = Source("wordnet", "wordnet-base", "usr/share/wordnet/data.noun", "wordnet", "WordNet", 0)
LIST_SIZE = 20
SHARED_STEMS = 1
WORDS = (8, 45)
"""Least and most words of a definition; shorter ones say too little to be found by."""
ENTRY = re.compile(r"\n(?=[A-Z][a-z]+ \\)")
HEAD = re.compile(r"(?P<word>[A-Z][a-z]{3,}) \\[^\\]*\\[^\n]*?,? n\.")


def single_glosses(text: str) -> dict[str, str]:
    """WordNet's nouns of one word and one sense, with their definitions, examples left out."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("  ") or "|" not in line:
            continue
        data, _, gloss = line.partition("|")
        fields = data.split()
        definition = squeeze(gloss.split(";")[0])
        for place in range(int(fields[3], 16)):
            found.setdefault(fields[4 + 2 * place].lower(), []).append(definition)
    return {
        word: glosses[0]
        for word, glosses in found.items()
        if len(glosses) == 1 and word.isalpha() and suits(glosses[0], word)
    }


def single_definitions(text: str) -> dict[str, str]:
    """Nouns with one entry and one sense in the dictionary of 1913, with their definitions."""
    found: dict[str, list[str | None]] = {}
    for entry in ENTRY.split(text):
        head = HEAD.match(entry)
        if head:
            word = head["word"].lower()
            found.setdefault(word, []).append(definition_in(entry[head.end() :], word))
    return {
        word: entries[0]
        for word, entries in found.items()
        if len(entries) == 1 and entries[0] is not None
    }


def definition_in(body: str, word: str) -> str | None:
    """The definition, without etymology, field, source and notes; None where it will not do.

    What the dictionary took from WordNet is left out: it would be no paraphrase.
    """
    if "[1913 Webster]" not in body or "WordNet" in body or re.search(r"\n +[1-9]\. ", body):
        return None
    text = re.split(r"\[1913 Webster\]|Syn:|Note:|--[A-Z]", body)[0]
    text = re.sub(r"\[[^]]*\]|\([^)]*\)", " ", re.sub(r"[{}]", "", text))
    # What precedes the first capital after the part of speech belongs to the headword.
    start = re.search(r"\n\s+(?=[A-Z])", text)
    text = squeeze(text[start.end() :] if start else text)
    # Brackets within brackets leave a part of their content behind.
    whole = text[:1].isupper() and not set(text) & set("[]()\\")
    return text if whole and suits(text, word) else None


def suits(definition: str, word: str) -> bool:
    """Whether a definition has a fair length and does not name its own word."""
    return (
        WORDS[0] <= len(definition.split()) <= WORDS[1]
        and word[: max(4, len(word) - 3)] not in definition.lower()
    )


def shared(first: str, second: str, lexicon: Bm25) -> int:
    """How many stems two texts have in common, words such as "the" aside."""
    one, other = lexicon.stems([first, second])
    return len(set(one) & set(other))


def chosen_words(
    glosses: dict[str, str], definitions: dict[str, str], lexicon: Bm25, seed: int
) -> Iterator[str]:
    """Nouns in both dictionaries whose definitions share hardly a word, in a drawn order."""
    both = sorted(
        glosses.keys() & definitions.keys(), key=lambda word: fraction(seed, "paraphrase", word)
    )
    for word in both:
        if shared(glosses[word], definitions[word], lexicon) <= SHARED_STEMS:
            yield word


def paraphrases(work: Path, seed: int, most: int, say: Callable[[str], None]) -> Collection:
    """At most ``most`` queries with LIST_SIZE candidates each, the answer among them."""
    glosses = single_glosses(read_text(files_of(WORDNET, work)[0]))
    definitions = single_definitions(read_text(files_of(DICTIONARY, work)[0]))
    words = sorted(definitions)
    place = {word: at for at, word in enumerate(words)}
    passages = [definitions[word] for word in words]
    lexicon = Bm25(passages)
    asked = list(islice(chosen_words(glosses, definitions, lexicon, seed), most))
    queries = [glosses[word] for word in asked]
    found, _ = lexicon.top(queries, LIST_SIZE)
    answers = [place[word] for word in asked]
    # In BM25's order; an answer that it does not put among the best comes last.
    rows = [
        [*(row if answer in row else row[:-1]), *([] if answer in row else [answer])]
        for answer, row in zip(answers, found.tolist(), strict=True)
    ]
    used = sorted({passage for row in rows for passage in row})
    at = {passage: new for new, passage in enumerate(used)}
    texts = [passages[passage] for passage in used]
    return Collection(
        "paraphrase",
        texts,
        queries,
        [{at[answer]: 1} for answer in answers],
        embed(texts, say),
        embed(queries, say),
        np.array([[at[passage] for passage in row] for row in rows]),
    )
