"""Tokenizers of the kinds that cross-encoders have, made in memory, and texts to try them on."""

from __future__ import annotations

import random
from importlib import import_module
from pathlib import Path
from typing import Any

SPECIALS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]


def unigram(path: Path) -> Path:
    """Write a Unigram tokenizer with the normaliser chain and template of DeBERTa-v3."""
    library: Any = import_module("tokenizers")
    pieces = [f"▁{word}" for word in ("the", "wing", "of", "a", "is", "flow", "naïve", "café")]
    pieces += ["▁", "ing", "er", "tion", "th", "re", "é", "ß", "ا", "ل", "中", "文", "の", "😀"]
    pieces += [chr(code) for code in range(33, 127)]
    scored = [(token, 0.0) for token in SPECIALS]
    scored += [(piece, -2.0 - 0.1 * index) for index, piece in enumerate(pieces)]
    tokenizer = library.Tokenizer(library.models.Unigram(scored, unk_id=3))
    tokenizer.normalizer = library.normalizers.Sequence(
        [
            library.normalizers.Strip(),
            library.normalizers.Nmt(),
            library.normalizers.NFKC(),
            library.normalizers.Replace(library.Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = library.pre_tokenizers.Metaspace()
    return _finish(tokenizer, path)


def byte_level(path: Path) -> Path:
    """Write a byte-level BPE tokenizer with RoBERTa's template, whose types are all 0."""
    library: Any = import_module("tokenizers")
    letters = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*SPECIALS, *letters, "th", "the"])}
    tokenizer = library.Tokenizer(
        library.models.BPE(vocab=vocabulary, merges=[("t", "h"), ("th", "e")])
    )
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.post_processor = library.processors.RobertaProcessing(
        sep=("[SEP]", 2), cls=("[CLS]", 1)
    )
    tokenizer.save(str(path))
    return path


def _finish(tokenizer: Any, path: Path) -> Path:
    library: Any = import_module("tokenizers")
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.post_processor = library.processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    # What the published DeBERTa-v3 files carry.
    tokenizer.enable_truncation(max_length=128)
    tokenizer.enable_padding(length=128)
    tokenizer.save(str(path))
    return path


FRAGMENTS = [
    *("the wing", "of a naïve café", "flow", "is", "ing", "er", "x", "A", "Zürich", "straße"),
    *("中文字", "の", "日本語テキスト", "العربية", "שלום", "हिन्दी", "ไทย", "한국어", "Ελληνικά"),
    *("😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "e\u0301", "a\u0308\u0323", "ﬁ", "Å", "①", "ℌ", "\u200b", "\u200d"),
    *("\ufeff", "\u202e", "\u2066", "\xad", "\xa0", "\u3000", "\u2028", "\x85", "\t", "\n", "\r\n"),
    *("\x00", "\x01", "\x07", "\x1b[0m", "\x7f", "\ufffd", "\uffff", "\U0010ffff", "\ue000"),
    *("[SEP]", "[CLS] x", "[MASK]", "[PAD]", "[UNK]", "<s>", "▁", "##ing", "<0x41>", "|||"),
    *("3.14", "1,000,000", "https://example.org/a?b=c#d", "def f(x): return x**2", "--", "..."),
    *(" ", "  ", "     ", "", "a" * 40, "ab" * 300, "word " * 120, "\u0301" * 30, "中" * 200),
]


def text(rng: random.Random, longest: int = 1500) -> str:
    """Make a text: mostly a few fragments joined in some way, sometimes random characters.

    The reference keeps every combination of the parts that it cuts off two texts, so two texts
    of 50,000 characters take it more memory than a machine has.
    """
    kind = rng.random()
    if kind < 0.05:
        return ""
    if kind < 0.15:
        return rng.choice(FRAGMENTS)[:longest]
    if kind < 0.3:
        return "".join(_character(rng) for _ in range(rng.randint(1, 60)))
    if kind < 0.35:
        return (rng.choice(FRAGMENTS) * rng.randint(20, 200))[:longest]
    between = rng.choice(["", " ", "  ", "\n"])
    return between.join(rng.choices(FRAGMENTS, k=rng.randint(1, 25)))[:longest]


def _character(rng: random.Random) -> str:
    while True:
        code = rng.choice([0x80, 0x250, 0x3000, 0x11000, 0x110000])
        code = rng.randrange(code)
        if not 0xD800 <= code < 0xE000:  # surrogates are not text
            return chr(code)
