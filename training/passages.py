"""Passages of a few sentences, and which side of the held-out split they are on."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from .section import Section
from .sources import Source

HELD_OUT_SHARE = 0.12
LEAST_WORDS = {"wordnet": 8, "foldoc": 20, "jargon": 20}
PASSAGES_PER_DOCUMENT = 14
PASSAGES_PER_SECTION = 2
LENGTHS = ((40, 80), (90, 150), (160, 240))
LENGTH_WEIGHTS = (0.6, 0.25, 0.15)
"""Words a passage ends after, and how often; the long ones are an abstract's length."""
LEAD_SHARE = 0.3


@dataclass(frozen=True)
class Passage:
    """A few sentences of a section.

    group: number of the section; passages of one group answer the same heading.
    lead: a first sentence taken out of the text, to be asked for; often empty.
    """

    source: str
    document: str
    group: int
    title: str
    heading: str
    text: str
    lead: str
    held_out: bool


def fraction(seed: int, *parts: str) -> float:
    """A number in [0, 1) that depends on the seed and the names alone, not on any order."""
    digest = hashlib.sha256("\0".join((str(seed), *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def sentences(text: str) -> list[str]:
    """Cut where a stop is followed by what may begin a sentence."""
    return [part for part in re.split(r"(?<=[.!?;])\s+(?=[A-Z\"“(*])", text) if part]


def chunks(text: str, rng: Random, least: int) -> Iterator[list[str]]:
    """Runs of whole sentences: mostly 40 to 80 words, some up to 240, never fewer than least."""
    (shortest, longest) = rng.choices(LENGTHS, LENGTH_WEIGHTS)[0]
    limit = rng.randint(shortest, longest)
    run: list[str] = []
    words = 0
    for sentence in sentences(text):
        run.append(sentence)
        words += len(sentence.split())
        if words >= limit:
            yield run
            run, words = [], 0
    if words >= least:
        yield run


def shorten(text: str, words: int = 250) -> str:
    """A table that lost its full stops can be one endless sentence."""
    return " ".join(text.split()[:words])


def select_passages(sections: Iterable[Section], source: Source, seed: int) -> list[Passage]:
    """At most source.passages passages, documents in an order drawn by the seed."""
    least = LEAST_WORDS.get(source.name, 25)
    by_document: dict[str, list[Section]] = {}
    for section in sections:
        readable = sum(c.isalpha() or c.isspace() for c in section.text) >= 0.85 * len(section.text)
        illustrated = source.name != "wordnet" or '"' in section.text
        if readable and illustrated and len(section.text.split()) >= least:
            by_document.setdefault(section.document, []).append(section)
    order = sorted(by_document, key=lambda document: fraction(seed, source.name, document, "order"))
    kept: list[Passage] = []
    seen: set[str] = set()
    group = 0
    for document in order:
        rng = Random(f"{seed} {source.name} {document}")
        held_out = fraction(seed, source.name, document, "split") < HELD_OUT_SHARE
        own = 0
        for section in rng.sample(by_document[document], len(by_document[document])):
            group += 1
            for run in list(chunks(section.text, rng, least))[:PASSAGES_PER_SECTION]:
                # Near copies (a library and its debugging package) begin with the same words.
                key = re.sub(r"\W+", "", " ".join(run).lower())[:60]
                if key in seen or own >= PASSAGES_PER_DOCUMENT:
                    continue
                seen.add(key)
                takes_lead = (
                    len(run) >= 3 and len(run[0].split()) >= 6 and rng.random() < LEAD_SHARE
                )
                lead = run.pop(0) if takes_lead else ""
                text = shorten(" ".join(run))
                kept.append(
                    Passage(
                        source.name,
                        document,
                        group,
                        section.title,
                        section.heading,
                        text,
                        lead,
                        held_out,
                    )
                )
                own += 1
        if len(kept) >= source.passages:
            break
    return kept[: source.passages]
