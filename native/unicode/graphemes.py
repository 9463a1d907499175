"""Writes src/tokenizer/graphemes_table.h: ``python -m native.unicode.graphemes``, from the root.

The normaliser ``Precompiled`` of the tokenizers library works on grapheme clusters, and so
depends on the version of Unicode that the library was built with. Rather than to guess it, this
asks the library itself, for every character: a rule that replaces a cluster by its first bytes
shows where a cluster of fewer than six bytes begins and ends, and each property of a character
that can have an effect on that shows in some text of a few characters.

What cannot have an effect is left out: regional indicators take four bytes each, so no cluster
with one in it is ever short enough.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module, metadata

from native.toolchain import ROOT
from native.unicode.charsmap import charsmap
from native.unicode.rows import write_header

OUTPUT = ROOT / "src" / "tokenizer" / "graphemes_table.h"
_ACCENT, _JOINER, _SIGN = "\u0300", "\u200d", "\u00a9"  # extends; ZWJ; a pictograph
_CONSONANT, _LINKER = "\u0915", "\u094d"
_SIGN_RULE = _SIGN.encode()
_HANGUL = (
    ((0x1100, 0x115F), "l"), ((0x1160, 0x11A7), "v"), ((0x11A8, 0x11FF), "t"),
    ((0xA960, 0xA97C), "l"), ((0xD7B0, 0xD7C6), "v"), ((0xD7CB, 0xD7FB), "t"),
)  # fmt: skip
_HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)  # told apart by arithmetic

Normalize = Callable[[str], str]


class Probe:
    """Asks the library which characters it joins."""

    def __init__(self) -> None:
        """Set up a normaliser for each question."""
        normalizers = import_module("tokenizers").normalizers

        def rules(*starts: bytes) -> Normalize:
            normalize: Normalize = normalizers.Precompiled(
                charsmap(dict.fromkeys(starts, "!"))
            ).normalize_str
            return normalize

        self._letter = rules(b"a")
        self._any = rules(*(bytes([first]) for first in range(0xC2, 0xF5)))
        self._sign = rules(_SIGN_RULE)
        self._consonant = rules(_CONSONANT.encode())
        self._accent = rules("\u0344".encode())

    def category(self, char: str) -> str:
        """Name the class of a character; "other" is none."""
        if self._letter("a" + char) == "!":
            return self._kind_of_extension(char)
        if self._any(char + "a") == "!":
            return "prepend"
        # The second accent is swallowed where the two begin a cluster, with nothing before them.
        if self._accent(char + "\u0344\u0301") == char + "!":
            return "control"
        if self._sign(_SIGN + _JOINER + char).startswith("!" + _JOINER):
            return "pictograph"
        if self._conjunct(char + _LINKER):
            return "consonant"
        return "other"

    def _kind_of_extension(self, char: str) -> str:
        if char == _JOINER:
            return "joiner"
        if self._conjunct(_CONSONANT + char):
            return "linker"
        after = self._sign(_SIGN + char + _JOINER + _SIGN + _ACCENT)
        if not after.endswith(_ACCENT):
            return "spacing"
        return "extend" if self._conjunct(_CONSONANT + char + _LINKER) else "extend_apart"

    def _conjunct(self, before: str) -> bool:
        """Tell whether a consonant joins to what is before it: then the accent is not swallowed."""
        return self._consonant(before + _CONSONANT + _ACCENT).endswith(_ACCENT)


def ranges(probe: Probe) -> Iterator[tuple[int, int, str]]:
    """Yield the first and the last of each run of characters of one class other than "other"."""
    start, current = 0, "other"
    for code in range(sys.maxunicode + 2):
        category = _category(probe, code)
        if category != current:
            if current != "other":
                yield start, code - 1, current
            start, current = code, category


def _category(probe: Probe, code: int) -> str:
    if code < 0x80:
        return "control" if code < 0x20 or code == 0x7F else "other"
    if code > sys.maxunicode or 0xD800 <= code < 0xE000 or code in _HANGUL_SYLLABLES:
        return "other"
    for (first, last), name in _HANGUL:
        if first <= code <= last:
            return name
    return probe.category(chr(code))


def main() -> None:
    """Write the table."""
    version = metadata.version("tokenizers")
    rows = [
        f"{{0x{first:X}, 0x{last:X}, Grapheme::{name}}}," for first, last, name in ranges(Probe())
    ]
    about = [
        "Written by native/unicode/graphemes.py; not to be edited. Characters that begin, end or",
        f"continue a grapheme cluster, as in release {version} of the tokenizers library.",
    ]
    write_header(OUTPUT, about, "tokenizer/graphemes.h", {"GraphemeRange kGraphemes[]": rows})


if __name__ == "__main__":
    main()
