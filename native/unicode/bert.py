"""Writes src/tokenizer/bert_table.h: ``python -m native.unicode.bert``, from the root.

What BertNormalizer makes of each character, with cleaning, lower case and accents taken off, and
which characters BertPreTokenizer takes for punctuation, is asked of the tokenizers library itself,
so that it does not matter which versions of Unicode its parts were built with.

A text's result is that of its characters, one after the other, but for one thing: marks that stay
are put into the order of their combining classes. What takes part in that is listed too.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from itertools import groupby
from typing import Any

from native.toolchain import ROOT
from native.unicode.rows import write_header

OUTPUT = ROOT / "src" / "tokenizer" / "bert_table.h"
_LAST_CLASS = "\u0345"  # of class 240: every other mark is put before it
_SYLLABLES = range(0xAC00, 0xD7A4)  # taken apart by arithmetic
_EXPANSION = 1 << 31
_SHORTEST_SHIFT, _LONGEST_GAP = 8, 12


@dataclass(frozen=True, slots=True)
class Folding:
    """What becomes of a character."""

    kind: str
    value: int = 0


_SAME = Folding("same")


class Probe:
    """Asks the library what becomes of characters, and notes those that become several."""

    def __init__(self) -> None:
        """Set up the library's parts."""
        library: Any = import_module("tokenizers")
        self._whole = library.normalizers.BertNormalizer()
        self._clean = library.normalizers.BertNormalizer(
            clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False
        )
        self._cased = library.normalizers.BertNormalizer(
            clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
        )
        self._decompose = library.normalizers.NFD()
        self._cut = library.pre_tokenizers.BertPreTokenizer()
        self.expansions: list[int] = []

    def folding(self, char: str) -> Folding:
        """Ask what becomes of a character."""
        result: str = self._whole.normalize_str(char)
        if result == "":
            return Folding("gone" if self._is_passed_over(char) else "apart")
        if result == " ":
            return Folding("space")
        if result[0] == result[-1] == " ":
            return self._target("ideograph", char, result[1:-1])
        if result == char and self._is_mark(char):
            return Folding("mark", unicodedata.combining(char))
        return self._target("shift", char, result)

    def cleaning(self, char: str) -> Folding:
        """Ask what becomes of a character where case and accents are kept."""
        result: str = self._cased.normalize_str(char)
        kinds = {"": "gone", " ": "space", f" {char} ": "ideograph", char: "same"}
        return Folding(kinds[result])

    def is_punctuation(self, char: str) -> bool:
        """Ask whether a character is a word of its own."""
        return len(self._cut.pre_tokenize_str(f"a{char}a")) == 3

    def _target(self, kind: str, char: str, result: str) -> Folding:
        if len(result) == 1:
            if self._is_mark(result):
                raise ValueError(f"{char!a} becomes a mark")
            return Folding(kind, ord(result) - ord(char))
        if kind != "shift":
            raise ValueError(f"{char!a} is an ideograph and becomes several characters")
        self.expansions += [*map(ord, result), 0]
        return Folding("several", len(self.expansions) - len(result) - 1)

    def _is_mark(self, char: str) -> bool:
        swapped: str = self._decompose.normalize_str(_LAST_CLASS + char)
        return swapped == char + _LAST_CLASS and char != _LAST_CLASS

    def _is_passed_over(self, char: str) -> bool:
        """Tell whether marks on both sides of a character that goes are put in order."""
        if self._clean.normalize_str(char) == "":
            return True
        parts: str = self._decompose.normalize_str(char)
        return all(part == _LAST_CLASS or self._is_mark(part) for part in parts)


def foldings(probe: Probe) -> Iterator[tuple[int, Folding]]:
    """Yield what becomes of each character that does not stay as it is."""
    for code in range(sys.maxunicode + 1):
        if 0xD800 <= code < 0xE000 or code in _SYLLABLES:
            continue
        folding = probe.folding(chr(code))
        if folding != Folding("shift"):
            yield code, folding


def ranges(found: dict[int, Folding]) -> tuple[list[str], list[str]]:
    """Return the rows of ranges, and those of the targets that they share."""
    rows: list[str] = []
    targets: list[str] = []
    loose: list[int] = []
    table = ""

    def write_loose() -> None:
        if loose:
            index = len(targets)
            targets.extend(_target(code, found) for code in range(loose[0], loose[-1] + 1))
            rows.append(f"{{0x{loose[0]:X}, 0x{loose[-1]:X}, Folding::{table}, {index}}},")
            loose.clear()

    for codes in _runs(found):
        folding = found[codes[0]]
        wanted = _table(folding, len(codes))
        gap = _LONGEST_GAP if wanted == "table" else 0
        if wanted != table or (loose and codes[0] - loose[-1] - 1 > gap):
            write_loose()
        table = wanted
        if table:
            loose += codes
        else:
            rows.append(
                f"{{0x{codes[0]:X}, 0x{codes[-1]:X}, Folding::{folding.kind}, {folding.value}}},"
            )
    write_loose()
    return rows, targets


def _table(folding: Folding, count: int) -> str:
    """Name the kind of range whose characters have a target each, or none for few words."""
    if folding.kind == "several" or (folding.kind == "shift" and count < _SHORTEST_SHIFT):
        return "table"
    return "ideographs" if folding.kind == "ideograph" and count < _SHORTEST_SHIFT else ""


def _runs(found: dict[int, Folding]) -> Iterator[list[int]]:
    """Group neighbours that become the same, in order."""
    for _, group in groupby(
        enumerate(found), lambda numbered: (numbered[1] - numbered[0], found[numbered[1]])
    ):
        yield [code for _, code in group]


def _target(code: int, found: dict[int, Folding]) -> str:
    folding = found.get(code, _SAME)
    if folding.kind == "several":
        return f"0x{_EXPANSION | folding.value:X},"
    return f"0x{code + folding.value:X},"


def cleanings(probe: Probe) -> Iterator[str]:
    """Yield rows of what cleaning alone makes of each run of characters."""
    codes = (code for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    asked = ((code, probe.cleaning(chr(code))) for code in codes)
    found = {code: folding for code, folding in asked if folding != _SAME and chr(code) != " "}
    for run in _runs(found):
        yield f"{{0x{run[0]:X}, 0x{run[-1]:X}, Folding::{found[run[0]].kind}, 0}},"


def punctuation(probe: Probe) -> Iterator[str]:
    """Yield rows of the first and the last of each run of punctuation."""
    codes = [
        code
        for code in range(sys.maxunicode + 1)
        if not 0xD800 <= code < 0xE000 and probe.is_punctuation(chr(code))
    ]
    for _, group in groupby(enumerate(codes), lambda numbered: numbered[1] - numbered[0]):
        run = [code for _, code in group]
        yield f"{{0x{run[0]:X}, 0x{run[-1]:X}}},"


def main() -> None:
    """Write the table."""
    probe = Probe()
    rows, targets = ranges(dict(foldings(probe)))
    about = [
        "Written by native/unicode/bert.py; not to be edited. What the BertNormalizer makes of",
        f"characters, as in release {metadata.version('tokenizers')} of the tokenizers library.",
    ]
    arrays = {
        "FoldingRange kFoldings[]": rows,
        "uint32_t kTargets[]": targets,
        "uint32_t kExpansions[]": [f"0x{code:X}," for code in probe.expansions],
        "FoldingRange kCleanings[]": list(cleanings(probe)),
        "CharRange kPunctuation[]": list(punctuation(probe)),
    }
    write_header(OUTPUT, about, "tokenizer/bert_folding.h", arrays)


if __name__ == "__main__":
    main()
