"""Sections of the sources that are not HTML: package lists, dictionaries, WordNet and man pages."""

import re
from collections.abc import Iterator

from .section import Section, squeeze

BOILERPLATE = re.compile(
    r"^(This (meta|dummy|is a (transitional|dummy|meta))|.*transitional (dummy )?package)", re.I
)


def parse_descriptions(text: str, document: str) -> Iterator[Section]:
    """Debian's Translation-en: the synopsis is the heading, the long description the text.

    The document is the package name up to its first dash or digit, so that the many binary
    packages of one project fall on the same side of the held-out split.
    """
    for stanza in text.split("\n\n"):
        found = re.search(r"^Package: (\S+).*?^Description-en: ([^\n]*)\n(.*)", stanza, re.M | re.S)
        if not found or BOILERPLATE.match(found[2]) or BOILERPLATE.match(found[3].strip()):
            continue
        paragraphs = re.split(r"^ \.$", found[3], flags=re.M)
        # Later paragraphs repeat over a project's packages ("This package contains ...").
        body = squeeze(" ".join(paragraphs[:3]))
        project = (
            re.split(r"[-\d]", found[1].removeprefix("lib").removeprefix("python3-"))[0] or found[1]
        )
        yield Section(project, found[1], squeeze(found[2]), body)


def parse_dict(text: str, document: str) -> Iterator[Section]:
    """A dictd dictionary: headwords at the margin, definitions indented."""
    entries = re.split(r"\n(?=[^\s{(\[])", text)
    for entry in entries:
        head, _, rest = entry.partition("\n")
        body = re.sub(r"[{}]|\[Jargon File\]|\(\d{4}-\d\d-\d\d\)|<[A-Za-z, /-]+>", "", rest)
        body = re.sub(
            r"^\s*/[^/\n]+/.*?$|^\s*(n|vt|vi|adj|adv|v)\.(,\s*obs\.)?\s*$", "", body, flags=re.M
        )
        if rest[:1].isspace() and head and not head.startswith("00-"):
            yield Section(head.lower(), head, head, squeeze(body))


def parse_wordnet(text: str, document: str) -> Iterator[Section]:
    """A synset: its words are the heading, the definition and the examples the text."""
    for line in text.splitlines():
        if line.startswith("  ") or "|" not in line:
            continue
        data, _, gloss = line.partition("|")
        fields = data.split()
        count = int(fields[3], 16)
        words = [re.sub(r"\(\w+\)$", "", fields[4 + 2 * i]).replace("_", " ") for i in range(count)]
        yield Section(words[0].lower(), ", ".join(words), ", ".join(words), squeeze(gloss))


ROFF_ESCAPES = (
    (re.compile(r'\\".*$', re.M), ""),
    (re.compile(r"\\f(\[[^]]*\]|\(..|.)"), ""),
    (re.compile(r"\\\(bu|\\\[bu\]"), ""),
    (re.compile(r"\\\((?:em|en)|\\\[(?:em|en)\]"), "-"),
    (re.compile(r"\\\((?:aq|cq|oq)|\\\[(?:aq|cq|oq)\]"), "'"),
    (re.compile(r"\\\((?:lq|rq|dq)|\\\[(?:lq|rq|dq)\]"), '"'),
    (re.compile(r"\\[\[(*]\w+\]?|\\s[-+]?\d|\\[&|/^c%]"), ""),
    (re.compile(r"\\-"), "-"),
    (re.compile(r"\\e"), r"\\"),
    (re.compile(r"\\(.)"), r"\1"),
)
FONT_MACROS = {".B", ".I", ".BR", ".RB", ".IR", ".RI", ".BI", ".IB", ".SM", ".SB"}


# Sections of a man page that answer no question of their own.
FORMAL_SECTIONS = {
    "Attributes", "Author", "Authors", "Colophon", "Conforming to", "History", "Library",
    "See also", "Standards", "Synopsis", "Versions",
}  # fmt: skip


def roff_words(line: str) -> str:
    """The words of one line of man source; empty for requests that print nothing."""
    if not line.startswith((".", "'")):
        return line
    macro, _, rest = line.partition(" ")
    if macro not in FONT_MACROS:
        return ""
    arguments = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', rest)]
    return ("" if len(macro) == 3 and macro != ".SM" else " ").join(arguments)


def parse_man(text: str, document: str) -> Iterator[Section]:
    """A man page: the NAME line gives the title, .SH and .SS the headings.

    Literal text (.nf to .fi, and examples) is left out.
    """
    text = re.sub(r"^\.(?:nf|EX).*?^\.(?:fi|EE)", "", text, flags=re.M | re.S)
    for pattern, replacement in ROFF_ESCAPES:
        text = pattern.sub(replacement, text)
    parts = re.split(r"^\.S[HS] +(.*)$", text, flags=re.M)
    title = document
    for heading, body in zip(parts[1::2], parts[2::2], strict=False):
        words = squeeze(" ".join(roff_words(line) for line in body.splitlines()))
        heading = heading.strip('" ').capitalize()
        if heading == "Name":
            title = words
        elif heading not in FORMAL_SECTIONS:
            yield Section(document, title, heading, words)
