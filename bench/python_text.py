"""Ranked lists made of Python's own documentation, which every machine has: offline, at once.

The text is that of the interpreter that runs (PSF licence): the language reference in
``pydoc_data`` and the docstrings of common modules. Their first sentences are the queries. Releases
differ in some of the text; the lists are of the same kinds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import getdoc, isclass, isroutine
from random import Random

from .accuracy_pairs import LIST_SIZE, RankedList, mixed_list

MODULES = (
    *("argparse", "asyncio", "base64", "bisect", "calendar", "collections", "configparser"),
    *("contextlib", "copy", "csv", "datetime", "decimal", "difflib", "enum", "fractions"),
    *("functools", "glob", "gzip", "heapq", "inspect", "itertools", "json", "logging", "math"),
    *("mimetypes", "os", "pathlib", "pickle", "platform", "queue", "random", "re", "sched"),
    *("secrets", "shelve", "shlex", "shutil", "socket", "sqlite3", "statistics", "string"),
    *("subprocess", "tarfile", "tempfile", "textwrap", "threading", "time", "tokenize"),
    *("traceback", "types", "urllib.parse", "uuid", "weakref", "zipfile"),
)
FEWEST_WORDS, MOST_WORDS = 8, 24
"""Of a passage; longer ones are cut, and longer documents are put together from several."""
_SENTENCE = re.compile(r"(?<=[.!?:])\s+")
_MARKUP = re.compile(r"``|\*\*|[*=\-~^]{3,}")
_WORD = re.compile(r"[a-z]{3,}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A first sentence, and what follows it."""

    query: str
    passage: str


def python_lists(lists: int, *, seed: int = 0) -> list[RankedList]:
    """Make lists of ``LIST_SIZE`` passages, ``lists`` of them."""
    entries = _entries()
    words = [Counter(set(_WORD.findall(entry.passage.lower()))) for entry in entries]
    frequency = sum(words, Counter[str]())
    rng = Random(f"{seed} python text")
    made = []
    for place in rng.sample(range(len(entries)), lists):
        asked = set(_WORD.findall(entries[place].query.lower()))
        nearness = [sum(1 / frequency[word] for word in asked & counts.keys()) for counts in words]
        order = sorted(range(len(entries)), key=lambda other: -nearness[other])
        ranked = [entries[other].passage for other in order if other != place]
        made.append(mixed_list(entries[place].query, entries[place].passage, ranked, rng))
    assert all(len(entry.passages) == LIST_SIZE for entry in made)
    return made


def _entries() -> list[Entry]:
    found = {entry.query.lower(): entry for text in _texts() if (entry := _entry(text)) is not None}
    return [found[query] for query in sorted(found)]


def _entry(text: str) -> Entry | None:
    """Take a text apart; None where either part is too short, or is code rather than text."""
    query, *rest = _SENTENCE.split(" ".join(_MARKUP.sub("", text).split()), maxsplit=1)
    words = rest[0].split() if rest else []
    if not 3 <= len(query.split()) <= 20 or len(words) < FEWEST_WORDS or ">>>" in query:
        return None
    return Entry(query, " ".join(words[:MOST_WORDS]))


def _texts() -> Iterator[str]:
    try:
        topics: dict[str, str] = import_module("pydoc_data.topics").topics
    except ImportError:  # some distributions leave it out
        topics = {}
    for text in topics.values():
        yield from text.split("\n\n\n")
    for name in MODULES:
        module = import_module(name)
        yield getdoc(module) or ""
        yield from _docstrings(module)


def _docstrings(module: object) -> Iterator[str]:
    for name in _public(module):
        member = getattr(module, name)
        if isroutine(member) or isclass(member):
            yield getdoc(member) or ""
        if isclass(member):
            own = [vars(member).get(attribute) for attribute in _public(member)]
            yield from (getdoc(method) or "" for method in own if isroutine(method))


def _public(owner: object) -> Sequence[str]:
    return [name for name in sorted(vars(owner)) if not name.startswith("_")]
