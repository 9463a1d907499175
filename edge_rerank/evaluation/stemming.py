"""Stems of English words: Porter's second algorithm, which Snowball calls "english".

Written from its description (Martin Porter, https://snowballstem.org/algorithms/english), so that
BM25 needs no library: ``flow``, ``flows``, ``flowing`` and ``flowed`` are one term.
"""

from __future__ import annotations

import re

_VOWELS = frozenset("aeiouy")
_DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_LI_ENDINGS = frozenset("cdeghkmnrt")
_PREFIX = re.compile("gener|commun|arsen|past|univers|later|emerg|organ|inter")
_REGION = re.compile(".*?[aeiouy][^aeiouy]")
_WHOLE = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
    **{word: word for word in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")},
}
"""Words whose stems the rules would get wrong."""
_DONE = frozenset(
    ("inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed", "evening")
)
"""Words that are stems once a plural's ``s`` is off."""
_STEP_2 = {
    "ational": "ate",
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "abli": "able",
    "entli": "ent",
    "izer": "ize",
    "ization": "ize",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "aliti": "al",
    "alli": "al",
    "fulness": "ful",
    "ousli": "ous",
    "ousness": "ous",
    "iveness": "ive",
    "iviti": "ive",
    "biliti": "ble",
    "bli": "ble",
    "ogist": "og",
    "fulli": "ful",
    "lessli": "less",
    "ogi": "og",
    "li": "",
}
_STEP_3 = {
    "ational": "ate",
    "tional": "tion",
    "alize": "al",
    "icate": "ic",
    "iciti": "ic",
    "ical": "ic",
    "ful": "",
    "ness": "",
    "ative": "",
}
_STEP_4 = (
    *("ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous"),
    *("ive", "ize", "ion", "al", "er", "ic"),
)


def stem(word: str) -> str:
    """Return the stem of a word in small letters; one that is not English is cut alike."""
    if len(word) < 3:
        return word
    if word in _WHOLE:
        return _WHOLE[word]
    word = _marked(word)
    first, second = _regions(word)
    word = _plural(word)
    if word in _DONE:
        return word
    word = _past(word, first)
    if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS:
        word = f"{word[:-1]}i"
    word = _suffix(word, first)
    word = _second_suffix(word, first, second)
    word = _third_suffix(word, second)
    return _last_letter(word, first, second).replace("Y", "y")


def _marked(word: str) -> str:
    """Write a ``y`` that is a consonant large: at the beginning, and after a vowel."""
    if "y" not in word:
        return word
    letters = list(word)
    for place, letter in enumerate(letters):
        if letter == "y" and (place == 0 or letters[place - 1] in _VOWELS):
            letters[place] = "Y"
    return "".join(letters)


def _regions(word: str) -> tuple[int, int]:
    """Return where the two regions begin in which suffixes are looked for."""
    start = _PREFIX.match(word) or _REGION.match(word)
    first = start.end() if start else len(word)
    start = _REGION.match(word, first)
    return first, start.end() if start else len(word)


def _has_vowel(part: str) -> bool:
    return not _VOWELS.isdisjoint(part)


def _plural(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _has_vowel(word[:-2]):
        return word[:-1]
    return word


def _past(word: str, first: int) -> str:
    for suffix in ("eedly", "eed"):
        if word.endswith(suffix):
            return f"{word[: -len(suffix)]}ee" if len(word) - len(suffix) >= first else word
    for suffix in ("ingly", "edly", "ing", "ed"):
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            return _mended(rest, first) if _has_vowel(rest) else _ying(word, suffix)
    return word


def _ying(word: str, suffix: str) -> str:
    """Return ``die`` for a word such as ``dying``: one consonant and ``ying``."""
    if suffix == "ing" and len(word) == 5 and word[1] in "yY" and word[0] not in _VOWELS:
        return f"{word[0]}ie"
    return word


def _mended(rest: str, first: int) -> str:
    if rest.endswith(("at", "bl", "iz")):
        return f"{rest}e"
    if rest.endswith(_DOUBLES):
        return rest if len(rest) == 3 and rest[0] in "aeo" else rest[:-1]
    return f"{rest}e" if first >= len(rest) and _ends_short(rest) else rest


def _ends_short(word: str) -> bool:
    """Whether the word ends in a short syllable, as ``rap`` and ``past`` and ``at`` do."""
    if word == "past":
        return True
    if len(word) == 2:
        return word[0] in _VOWELS and word[1] not in _VOWELS
    if len(word) < 3:
        return False
    before, vowel, last = word[-3], word[-2], word[-1]
    return (
        before not in _VOWELS
        and vowel in _VOWELS
        and last not in _VOWELS
        and last not in ("w", "x", "Y")
    )


def _suffix(word: str, first: int) -> str:
    found = _longest(word, _STEP_2)
    if found is None or len(word) - len(found) < first:
        return word
    before = word[-len(found) - 1 : -len(found)]
    if found == "ogi" and before != "l":
        return word
    if found == "li" and before not in _LI_ENDINGS:
        return word
    return word[: -len(found)] + _STEP_2[found]


def _second_suffix(word: str, first: int, second: int) -> str:
    found = _longest(word, _STEP_3)
    if found is None or len(word) - len(found) < (second if found == "ative" else first):
        return word
    return word[: -len(found)] + _STEP_3[found]


def _third_suffix(word: str, second: int) -> str:
    found = _longest(word, _STEP_4)
    if found is None or len(word) - len(found) < second:
        return word
    rest = word[: -len(found)]
    return word if found == "ion" and not rest.endswith(("s", "t")) else rest


def _last_letter(word: str, first: int, second: int) -> str:
    at = len(word) - 1
    if word.endswith("e"):
        droppable = at >= second or (at >= first and not _ends_short(word[:-1]))
        return word[:-1] if droppable else word
    return word[:-1] if word.endswith("ll") and at >= second else word


def _longest(word: str, suffixes: dict[str, str] | tuple[str, ...]) -> str | None:
    """Return the longest of the suffixes that the word ends in."""
    found = [suffix for suffix in suffixes if word.endswith(suffix)]
    return max(found, key=len, default=None)
