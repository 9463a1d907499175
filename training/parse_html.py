"""Sections of an HTML manual: a heading or a definition term opens one, paragraphs fill it."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from .section import Section, squeeze

HEADINGS = {"h1", "h2", "h3", "h4", "h5"}
# Subtrees that are navigation, code or tables: no prose a reader would search for.
SKIPPED_TAGS = {
    "script",
    "style",
    "nav",
    "aside",
    "header",
    "footer",
    "pre",
    "table",
    "noscript",
    "svg",
}
SKIPPED_CLASSES = {
    "navheader", "navfooter", "docnav", "sphinxsidebar", "related", "footer", "headerlink", "toc",
    "admonitionblock", "listingblock", "literalblock", "relatedtopics", "versionmodified",
    "howtoget",
}  # fmt: skip
VOID_TAGS = {"br", "hr", "img", "meta", "link", "input", "col", "wbr", "area", "base", "source"}
NUMBERING = re.compile(r"^(?:Chapter|Appendix|Part)?\s*(?:[A-Z]\.|\d+\.)[\d.]*\s*", re.IGNORECASE)


class SectionReader(HTMLParser):
    """Collects (heading, words) pairs in document order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: list[tuple[str, list[str]]] = []
        self.open_skipped: list[str] = []
        self.heading: list[str] | None = None
        self.heading_tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opens a heading, a skipped subtree, or puts a space between blocks."""
        if tag in VOID_TAGS:
            return
        classes = set((dict(attrs).get("class") or "").split())
        if self.open_skipped:
            # Same-named tags inside a skipped subtree are counted, so that its own end is found.
            if tag == self.open_skipped[-1]:
                self.open_skipped.append(tag)
        elif tag in SKIPPED_TAGS or classes & SKIPPED_CLASSES:
            self.open_skipped.append(tag)
        elif tag in HEADINGS or tag == "dt":
            self.heading, self.heading_tag = [], tag
        elif self.sections and tag in {"p", "li", "dd", "div"}:
            self.sections[-1][1].append(" ")

    def handle_endtag(self, tag: str) -> None:
        """Closes the innermost skipped subtree, or the heading."""
        if self.open_skipped:
            if tag == self.open_skipped[-1]:
                self.open_skipped.pop()
        elif self.heading is not None and tag == self.heading_tag:
            self.sections.append((clean_heading("".join(self.heading)), []))
            self.heading = None

    def handle_data(self, data: str) -> None:
        """Words go to the open heading, else to the last section."""
        if self.open_skipped:
            return
        if self.heading is not None:
            self.heading.append(data)
        elif self.sections:
            self.sections[-1][1].append(data)


def clean_heading(text: str) -> str:
    """Without section numbers and the pilcrow of permanent links."""
    return NUMBERING.sub("", squeeze(text.replace("¶", "").replace("#", ""))).strip(" :—-")


def parse_html(text: str, document: str) -> Iterator[Section]:
    """The first heading of the page is its title; a page without one has nothing to ask for."""
    reader = SectionReader()
    reader.feed(text)
    if not reader.sections:
        return
    title = reader.sections[0][0]
    for heading, words in reader.sections:
        body = squeeze("".join(words))
        if heading and body:
            yield Section(document, title, heading, body)
