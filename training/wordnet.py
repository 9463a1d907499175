"""WordNet as a thesaurus: synsets, what a word means first, and other words for it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .section import squeeze
from .sources import SOURCES, unpacked

PARTS = ("noun", "verb", "adj")
ENDINGS = (("", ""), ("s", ""), ("es", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("d", ""))
"""What an inflected word may have in place of what its entry has."""
BROADER, SIMILAR = "@", "&"
"""WordNet's signs for the pointers that are followed."""


@dataclass(frozen=True)
class Synset:
    """words: its names. uses: sentences that use one. broader, similar: names of synsets."""

    words: tuple[str, ...]
    definition: str
    uses: tuple[str, ...]
    broader: tuple[str, ...]
    similar: tuple[str, ...]


@dataclass(frozen=True)
class Thesaurus:
    """synsets by name (part and offset); first: the synset of a word's most frequent sense."""

    synsets: dict[str, Synset]
    first: dict[str, str]

    def synonyms(self, word: str) -> list[str]:
        """Other words for a lower-case word in its first sense; a broader one where it has none."""
        for ending, instead in ENDINGS:
            entry = word[: len(word) - len(ending)] + instead
            if not word.endswith(ending) or entry not in self.first:
                continue
            synset = self.synsets[self.first[entry]]
            others = [other for other in synset.words if other != entry]
            broader = [self.synsets[name].words[0] for name in synset.broader]
            return others or [word for word in broader if word != entry and " " not in word]
        return []


def synsets_in(part: str, text: str) -> Iterator[tuple[str, Synset]]:
    """The entries of a data file, with their names."""
    for line in text.splitlines():
        if line.startswith("  ") or "|" not in line:
            continue
        data, _, gloss = line.partition("|")
        fields = data.split()
        end = 4 + 2 * int(fields[3], 16)
        words = (re.sub(r"\(\w+\)$", "", word).replace("_", " ") for word in fields[4:end:2])
        first, last = end + 1, end + 1 + 4 * int(fields[end])
        signs, offsets, kinds = (fields[first + i : last : 4] for i in range(3))
        pointers = list(zip(signs, offsets, kinds, strict=True))
        broader, similar = (
            tuple(kind + offset for sign, offset, kind in pointers if sign == wanted)
            for wanted in (BROADER, SIMILAR)
        )
        definition = squeeze(gloss.split('"')[0]).rstrip("; ")
        uses = tuple(squeeze(quoted) for quoted in re.findall(r'"([^"]+)"', gloss))
        lower = tuple(word.lower() for word in words)
        yield part[0] + fields[0], Synset(lower, definition, uses, broader, similar)


def senses_in(part: str, text: str) -> Iterator[tuple[str, int, str]]:
    """The words of an index file, how many of their senses were met in texts, and the first."""
    for line in text.splitlines():
        if not line.startswith("  "):
            fields = line.split()
            place = 5 + int(fields[3])
            yield fields[0].replace("_", " "), int(fields[place]), part[0] + fields[place + 1]


def thesaurus_of(texts: dict[str, str]) -> Thesaurus:
    """From the files data.PART and index.PART. A word of several parts is the most met one."""
    synsets: dict[str, Synset] = {}
    met: dict[str, int] = {}
    first: dict[str, str] = {}
    for part in PARTS:
        synsets.update(synsets_in(part, texts[f"data.{part}"]))
        for word, times, name in senses_in(part, texts[f"index.{part}"]):
            if times > met.get(word, -1):
                met[word], first[word] = times, name
    return Thesaurus(synsets, first)


def read_thesaurus(work: Path) -> Thesaurus:
    """The thesaurus in Debian's package, fetched where it is not there yet."""
    source = next(source for source in SOURCES if source.name == "wordnet")
    folder = unpacked(source, work) / "usr/share/wordnet"
    names = [f"{kind}.{part}" for part in PARTS for kind in ("data", "index")]
    return thesaurus_of({name: (folder / name).read_text("utf-8", "replace") for name in names})
