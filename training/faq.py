"""Questions that people asked, and their answers: two collections of frequently asked questions.

They are for measuring alone. Of an answer the first words are kept, code left out; the candidates
of a question are the answers that BM25 puts first.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from .collection import Collection, first_stage
from .parse import read_text
from .parse_html import parse_html
from .section import squeeze
from .sources import Source, files_of
from .teacher import embed

PERL = Source(
    "perlfaq", "perl-doc", "usr/share/perl/*/pod/perlfaq?.pod", "pod", "Artistic or GPL-1.0+", 0
)
DEBIAN = Source("debian-faq", "debian-faq", "**/FAQ/*.en.html", "html", "GPL-2.0+", 0)
WORDS = (15, 150)
"""Fewest and most words of an answer."""
POD_MARK = re.compile(r"[A-Z]<<? ?([^<>]*?) ?>?>")


def pod_sections(text: str) -> Iterator[tuple[str, str]]:
    """(heading, prose) of each =head2; indented lines are code."""
    parts = re.split(r"^=head2 +(.*(?:\n.+)*)$", text, flags=re.M)
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        prose = re.sub(r"^(?:[ \t].*|=\w+.*)$", "", body.split("\n=head1")[0], flags=re.M)
        prose = re.sub(r"\(contributed by [^)]*\)", "", prose)
        yield plain(heading), plain(prose)


def plain(text: str) -> str:
    """Pod's text without its marks, the inner ones first."""
    while (bare := POD_MARK.sub(r"\1", text)) != text:
        text = bare
    return squeeze(text)


def answered(sections: Iterator[tuple[str, str]]) -> dict[str, str]:
    """The questions whose answer says enough, each once."""
    found: dict[str, str] = {}
    for question, answer in sections:
        words = answer.split()
        if question.endswith("?") and len(words) >= WORDS[0]:
            found.setdefault(question, " ".join(words[: WORDS[1]]))
    return found


def faq_collections(work: Path, say: Callable[[str], None]) -> list[Collection]:
    """One collection for each of the two."""
    perl = (pair for path in files_of(PERL, work) for pair in pod_sections(read_text(path)))
    pages = (s for path in files_of(DEBIAN, work) for s in parse_html(read_text(path), path.stem))
    debian = ((section.heading, section.text) for section in pages)
    made = []
    for source, sections in ((PERL, perl), (DEBIAN, debian)):
        pairs = answered(sections)
        questions, answers = list(pairs), list(pairs.values())
        made.append(
            Collection(
                source.name,
                answers,
                questions,
                [{place: 1} for place in range(len(answers))],
                embed(answers, say),
                embed(questions, say),
                first_stage(answers, questions),
            )
        )
    return made
