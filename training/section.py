"""What every parser yields: a titled piece of a document."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A titled piece of text.

    document: what the held-out split goes by. title: of the whole document. heading: of this
    piece. text: its words, without the heading.
    """

    document: str
    title: str
    heading: str
    text: str


def squeeze(text: str) -> str:
    """One space between words, none around the text."""
    return re.sub(r"\s+", " ", text).strip()
