r"""Writes src/tokenizer/classes_table.h: ``python -m native.unicode.classes``, from the root.

Which characters are letters, numbers and white space for the pattern that GPT-2 cuts words by
(``\p{L}``, ``\p{N}``, ``\s``), and which are parts of words (``\w``) for added tokens that have to
stand alone, depends on the versions of Unicode that two regular expression engines of the
tokenizers library were built with. Rather than to guess it, this asks the library itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module, metadata
from itertools import groupby
from typing import Any

from native.toolchain import ROOT
from native.unicode.rows import write_header

OUTPUT = ROOT / "src" / "tokenizer" / "classes_table.h"
_CHARS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
_PATTERNS = {"letter": r"\p{L}", "number": r"\p{N}", "space": r"\s"}
_ALONE = "alone"  # an added token


def matching(pattern: str) -> Iterator[int]:
    """Yield each character that a pattern of the library matches."""
    library: Any = import_module("tokenizers")
    split = library.pre_tokenizers.Split(library.Regex(pattern), "removed", invert=True)
    for found, _ in split.pre_tokenize_str("".join(_CHARS)):
        yield from map(ord, found)


def word_parts() -> Iterator[int]:
    """Yield each character before which an added token does not stand alone."""
    library: Any = import_module("tokenizers")
    tokenizer = library.Tokenizer(library.models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.add_tokens([library.AddedToken(_ALONE, single_word=True, normalized=False)])
    token = tokenizer.token_to_id(_ALONE)
    for char in _CHARS:
        if token not in tokenizer.encode(char + _ALONE).ids:
            yield ord(char)


def runs(codes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each run of neighbours."""
    for _, group in groupby(enumerate(codes), lambda numbered: numbered[1] - numbered[0]):
        run = [code for _, code in group]
        yield run[0], run[-1]


def main() -> None:
    """Write the table."""
    classes = sorted(
        (first, last, name)
        for name, pattern in _PATTERNS.items()
        for first, last in runs(matching(pattern))
    )
    about = [
        "Written by native/unicode/classes.py; not to be edited. Characters of the classes that",
        f"patterns name, as in release {metadata.version('tokenizers')} of the tokenizers library.",
    ]
    arrays = {
        "ClassRange kClasses[]": [
            f"{{0x{first:X}, 0x{last:X}, CharClass::{name}}}," for first, last, name in classes
        ],
        "CharRange kWordParts[]": [
            f"{{0x{first:X}, 0x{last:X}}}," for first, last in runs(word_parts())
        ],
    }
    write_header(OUTPUT, about, "tokenizer/classes.h", arrays)


if __name__ == "__main__":
    main()
