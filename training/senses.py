"""Lists of senses: a sentence of use, asked of its word's definitions, and the other way round.

A word's senses share the word and differ in what is meant, so only the sentence tells them apart.
"""

from collections import defaultdict
from random import Random

from .mining import LIST_SIZE
from .rephrase import is_trained_on
from .text_lists import TextLists, TextListsInMaking
from .wordnet import Synset, Thesaurus

LEAST_USE, LEAST_SENSE, LEAST_ASKED = 4, 3, 4
"""Words of a sentence of use, of a definition among others, and of one that is asked for."""
USES = 2
"""Sentences of one synset that are asked, at most."""
HARD = 6
"""Texts of the same word's other senses in a list, at most; any others are drawn."""


def trained_synsets(thesaurus: Thesaurus, left_out: set[str], seed: int) -> dict[str, Synset]:
    """All but those that are held out, or of a word in ``left_out``."""
    return {
        name: synset
        for name, synset in thesaurus.synsets.items()
        if is_trained_on(synset, left_out, seed)
    }


def sense_lists(synsets: dict[str, Synset], seed: int) -> TextLists:
    """Lists of LIST_SIZE texts each."""
    by_word: dict[str, list[str]] = defaultdict(list)
    for name, synset in synsets.items():
        for word in synset.words:
            by_word[word].append(name)
    all_definitions = [s.definition for s in synsets.values() if _words(s.definition) >= LEAST_USE]
    all_uses = [use for synset in synsets.values() for use in uses_of(synset)]
    rng, made = Random(f"{seed} senses"), TextListsInMaking()

    def add(query: str, answer: str, hard: list[str], easy: list[str]) -> None:
        hard = [text for text in dict.fromkeys(hard) if text not in (query, answer)]
        if len(hard) < 2:
            return
        wrong = rng.sample(hard, min(HARD, len(hard)))
        others = rng.sample(easy, min(3 * LIST_SIZE, len(easy)))
        wrong += [text for text in dict.fromkeys(others) if text not in (query, answer, *wrong)]
        if len(wrong) >= LIST_SIZE - 1:
            made.add(query, [answer, *wrong[: LIST_SIZE - 1]])

    for name, synset in synsets.items():
        names = dict.fromkeys(other for word in synset.words for other in by_word[word])
        others = [synsets[other] for other in names if other != name]
        uses, definition = uses_of(synset), synset.definition
        if _words(definition) >= LEAST_SENSE:
            meant = [o.definition for o in others if _words(o.definition) >= LEAST_SENSE]
            for use in uses[:USES]:
                add(use, definition, meant, all_definitions)
        if uses and _words(definition) >= LEAST_ASKED:
            add(definition, rng.choice(uses), [use for o in others for use in uses_of(o)], all_uses)
    return made.made()


def uses_of(synset: Synset) -> list[str]:
    """Its sentences of use, short ones left out."""
    return [use for use in synset.uses if _words(use) >= LEAST_USE]


def _words(text: str) -> int:
    return len(text.split())
