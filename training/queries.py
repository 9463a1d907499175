"""Queries in the forms that people type, made from titles, headings, terms and first sentences."""

import re
from collections import Counter
from dataclasses import dataclass
from random import Random

from .passages import Passage

STOPWORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "for", "from", "has", "have",
    "if", "in", "into", "is", "it", "its", "of", "on", "or", "that", "the", "their", "this",
    "to", "was", "when", "which", "will", "with", "you", "your", "not", "but", "may", "these",
    "than", "then", "there", "also", "other", "such", "using", "used", "use",
})  # fmt: skip
TERM_FORMS = ("{}", "what is {}", "{} meaning", "define {}", "what does {} mean", "{} definition")
TASK_FORMS = ("{}", "how to {}", "how do I {}", "{}")
TOPIC_FORMS = ("{}", "{}", "what is {}", "how does {} work", "explain {}")
NEED_FORMS = ("{}", "{}", "I need {}", "software for {}", "{} debian package")
TERM_SOURCES = {"wordnet", "foldoc", "jargon"}
VERBS = frozenset({
    "add", "apply", "change", "check", "choose", "close", "compute", "configure", "connect",
    "control", "convert", "copy", "create", "define", "delete", "determine", "display",
    "edit", "enable", "export", "find", "format", "get", "insert", "list", "load", "make",
    "manage", "manipulate", "merge", "move", "open", "print", "query", "read", "record",
    "remove", "rename", "replace", "return", "run", "save", "search", "select", "send", "set",
    "show", "sort", "start", "stop", "switch", "test", "update", "use", "view", "wait",
    "write",
})  # fmt: skip


@dataclass(frozen=True)
class Query:
    """What someone would type.

    kind: heading, sentence or keywords. passage: index of the passage it was made from.
    relevant: indices of the passages that answer it.
    """

    source: str
    kind: str
    text: str
    passage: int
    relevant: tuple[int, ...]
    held_out: bool


def keywords(text: str, rng: Random, most: int) -> str:
    """Some content words of a text, in their order, lower case."""
    words = [
        word
        for word in re.findall(r"[\w.+#-]*\w", text.lower())
        if word not in STOPWORDS and len(word) > 2
    ]
    chosen = sorted(rng.sample(range(len(words)), min(most, len(words))))
    return " ".join(words[i] for i in chosen)


def uncapitalised(text: str) -> str:
    """Without the capital of a sentence's beginning; names such as KC85 keep theirs."""
    return text[:1].lower() + text[1:] if re.match(r"[A-Z][a-z]+\b", text) else text


def subject(passage: Passage, repeated: bool) -> tuple[str, tuple[str, ...]]:
    """What the passage is about in the words of its heading, and the forms that suit it."""
    title = re.sub(r"\(\d\w*\)( Manual Page)?", "", passage.title)
    if passage.source == "packages":
        return passage.heading, NEED_FORMS
    if passage.source in TERM_SOURCES:
        return passage.heading.split(", ")[0], TERM_FORMS
    if passage.source.startswith("man"):
        names, _, purpose = title.partition(" - ")
        if passage.heading == "Description" and purpose:
            return purpose, TASK_FORMS if purpose.split()[0].lower() in VERBS else TOPIC_FORMS
        return f"{names.split(',')[0]} {passage.heading.lower()}", ("{}",)
    heading = re.sub(r"\(.*?\)|\bNote\b", "", passage.heading).strip()
    if repeated or not heading or len(heading.split()) == 1:
        title = re.sub(r" — ", " ", title)
        heading = heading if title.lower() == heading.lower() else f"{title} {heading}".strip()
        return heading, ("{}",)
    return heading, TASK_FORMS if heading.split()[0].lower() in VERBS else TOPIC_FORMS


def headings_repeated(passages: list[Passage]) -> set[tuple[str, str]]:
    """(source, heading) that several sections bear: "Examples" alone asks for nothing."""
    groups = {(p.source, p.heading.lower(), p.group) for p in passages}
    count = Counter((source, heading) for source, heading, _ in groups)
    return {key for key, number in count.items() if number > 1}


def given_away(text: str, passage: Passage) -> bool:
    """Whether the passage repeats a longer query word for word, as any matcher would find."""
    return len(text.split()) >= 3 and text.lower() in passage.text.lower()


def make_queries(passages: list[Passage], seed: int) -> list[Query]:
    """One query for each section's heading, one for each first sentence that was taken out."""
    repeated = headings_repeated(passages)
    groups: dict[tuple[str, int], list[int]] = {}
    for index, passage in enumerate(passages):
        groups.setdefault((passage.source, passage.group), []).append(index)
    made: list[Query] = []
    for index, passage in enumerate(passages):
        rng = Random(
            f"{seed} {passage.source} {passage.document} {passage.group} {passage.text[:40]}"
        )
        members = tuple(groups[passage.source, passage.group])
        options: list[tuple[str, str, tuple[int, ...]]] = []
        if index == members[0]:
            name, forms = subject(passage, (passage.source, passage.heading.lower()) in repeated)
            few = len(name.split()) < 4
            if few or rng.random() < 0.75:
                plain = name if rng.random() < 0.3 else uncapitalised(name)
                options.append(("heading", rng.choice(forms).format(plain), members))
            else:
                options.append(("keywords", keywords(name, rng, 5), members))
        if passage.lead:
            whole = rng.random() < 0.5 and len(passage.lead.split()) <= 30
            text = (
                passage.lead.rstrip(".")
                if whole
                else keywords(passage.lead, rng, rng.randint(3, 6))
            )
            options.append(("sentence", text, (index,)))
        for kind, text, relevant in options:
            text = " ".join(text.split()[:30])
            if len(text) >= 3 and not given_away(text, passage):
                made.append(Query(passage.source, kind, text, index, relevant, passage.held_out))
    return made
