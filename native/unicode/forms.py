"""Writes src/tokenizer/forms_table.h: ``python -m native.unicode.forms``, from the root.

The normal forms of Unicode (NFC, NFD, NFKC, NFKD), lower case, and which marks StripAccents takes
off, as the tokenizers library has them: it is asked about every character, so that it does not
matter which versions of Unicode its parts were built with. Syllables of Hangul are left out: they
are taken apart and put together by arithmetic.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from importlib import import_module, metadata
from itertools import groupby
from typing import Any

from native.toolchain import ROOT
from native.unicode.classes import runs
from native.unicode.rows import write_header

OUTPUT = ROOT / "src" / "tokenizer" / "forms_table.h"
_SYLLABLES = range(0xAC00, 0xD7A4)
_CODES = [
    code
    for code in range(0x80, sys.maxunicode + 1)
    if not 0xD800 <= code < 0xE000 and code not in _SYLLABLES
]
_SEVERAL = 1 << 21  # above every shift: the rest is a place among the parts
_LAST_CLASS = "\u0345"  # of class 240: every other mark is put before it


class Probe:
    """Asks the library what becomes of characters."""

    def __init__(self) -> None:
        """Set up the library's parts."""
        library: Any = import_module("tokenizers")
        normalizers = library.normalizers
        self.nfc = normalizers.NFC().normalize_str
        self.nfd = normalizers.NFD().normalize_str
        self.nfkd = normalizers.NFKD().normalize_str
        self.lower = normalizers.Lowercase().normalize_str
        self.strip = normalizers.StripAccents().normalize_str
        self.parts: list[int] = []
        """What characters become where that is several, each with a zero behind it."""
        self._places: dict[str, int] = {}

    def decompositions(self, form: Any, otherwise: Any = str) -> Iterator[str]:
        """Yield rows of what a form makes of characters, where it is not as ``otherwise`` does."""
        found = {
            code: parts for code in _CODES if (parts := form(chr(code))) != otherwise(chr(code))
        }
        single = ((code, ord(parts) - code) for code, parts in found.items() if len(parts) == 1)
        rows = [(first, last, shift) for first, last, _, shift in steady(single, widest=1)]
        rows += [
            (code, code, _SEVERAL + self._place(parts))
            for code, parts in found.items()
            if len(parts) > 1
        ]
        for first, last, value in sorted(rows):
            yield f"{{0x{first:X}, 0x{last:X}, {value}}},"

    def _place(self, parts: str) -> int:
        """Return where the parts begin among all that were noted."""
        if parts not in self._places:
            self._places[parts] = len(self.parts)
            self.parts += [*map(ord, parts), 0]
        return self._places[parts]

    def compositions(self) -> Iterator[tuple[int, int, int]]:
        """Yield a character, the one behind it, and what NFC makes of the two."""
        for code in _CODES:
            parts = self.nfd(chr(code))
            first = self.nfc(parts[:-1])
            if len(first) == 1 and self.nfc(first + parts[-1]) == chr(code):
                yield ord(first), ord(parts[-1]), code

    def marks(self) -> Iterator[tuple[int, int]]:
        """Yield each character that is put in order among its neighbours, and its class."""
        for code in _CODES:
            char = chr(code)
            if char == _LAST_CLASS or self.nfd(_LAST_CLASS + char) == char + _LAST_CLASS:
                if not unicodedata.combining(char):
                    raise ValueError(f"{char!a} is put in order, and its class is not known")
                yield code, unicodedata.combining(char)

    def lowered(self) -> Iterator[tuple[int, int]]:
        """Yield each character that has a lower case of one character, and how far off it is."""
        for code in range(sys.maxunicode + 1):
            if 0xD800 <= code < 0xE000:
                continue
            low = self.lower(chr(code))
            if len(low) == 1 and low != chr(code):
                yield code, ord(low) - code
            elif len(low) != 1 and code != 0x130:
                raise ValueError(f"U+{code:X} has a lower case of several characters")


def mark_rows(marks: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield rows of neighbours of one class."""
    for _, group in groupby(
        enumerate(marks), lambda numbered: (numbered[1][0] - numbered[0], numbered[1][1])
    ):
        run = [mark for _, mark in group]
        yield f"{{0x{run[0][0]:X}, 0x{run[-1][0]:X}, {run[0][1]}}},"


def steady(shifted: Iterable[tuple[int, int]], widest: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield runs of characters that are as far off: the first, the last, the step, how far."""
    rows: list[list[int]] = []
    for code, shift in shifted:
        last = rows[-1] if rows else [0, 0, 0, 0]
        step = code - last[1]
        if rows and last[3] == shift and (step == last[2] or (last[2] == 0 and step <= widest)):
            last[1], last[2] = code, step
        else:
            rows.append([code, code, 0, shift])
    for first, end, step, shift in rows:
        yield first, end, step or 1, shift


def main() -> None:
    """Write the table."""
    probe = Probe()
    about = [
        "Written by native/unicode/forms.py; not to be edited. Normal forms and lower case of",
        f"characters, as in release {metadata.version('tokenizers')} of the tokenizers library.",
    ]
    canonical = list(probe.decompositions(probe.nfd))
    compatible = list(probe.decompositions(probe.nfkd, probe.nfd))
    stripped = (code for code in _CODES if probe.strip(chr(code)) == "")
    arrays = {
        "Decomposition kCanonical[]": canonical,
        "Decomposition kCompatible[]": compatible,
        "uint32_t kParts[]": [f"0x{code:X}," for code in probe.parts],
        "Composition kCompositions[]": [
            f"{{0x{first:X}, 0x{second:X}, 0x{whole:X}}},"
            for first, second, whole in sorted(probe.compositions())
        ],
        "MarkRange kMarks[]": list(mark_rows(probe.marks())),
        "LowerRange kLower[]": [
            f"{{0x{first:X}, 0x{last:X}, {step}, {shift}}},"
            for first, last, step, shift in steady(probe.lowered(), widest=2)
        ],
        "CharRange kAccents[]": [f"{{0x{first:X}, 0x{last:X}}}," for first, last in runs(stripped)],
    }
    write_header(OUTPUT, about, "tokenizer/forms.h", arrays)


if __name__ == "__main__":
    main()
