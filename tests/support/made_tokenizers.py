"""Tokenizers of the kinds that cross-encoders have, made in memory, and texts to try them on."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from importlib import import_module
from pathlib import Path
from typing import Any

from native.unicode.charsmap import charsmap

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


RULES = {
    "\t": " ", "\n": " ", "\r": " ", "\xa0": " ", "\u3000": " ", "\u2028": " ", "\u200b": "",
    "\ufeff": "", "\xad": "", "\x07": "", "\x7f": "", "ﬁ": "fi", "①": "1", "ℌ": "H", "Å": "Å",
    "e\u0301": "é", "a\u0308": "ä", "\u0344": "\u0308\u0301", "\u0340": "\u0300", "Ａ": "A",
    "［": "[", "］": "]", "中": "文", "\u0928\u093c": "\u0929", "가": "\u1100\u1161", "©": "(c)",
    "\u0627\u0653": "\u0622", "🏳": "flag", "ß": "ss", "\u1100\u1161": "가", "x": "x",
}  # fmt: skip
"""Of the kinds that sentencepiece has: to nothing, more or less, of accents, of half a cluster."""


def deberta_content(seed: int = 1) -> dict[str, Any]:
    """Return a tokenizer.json of exactly DeBERTa-v3's components, with a small vocabulary."""
    rng = random.Random(seed)
    words = ["the", "wing", "of", "a", "is", "flow", "naïve", "café", "x", "日本", "한국어", "word"]
    pieces = [f"▁{word}" for word in words] + ["▁", "ing", "er", "tion", "th", "re", "é", "ا", "文"]
    pieces += [
        "ab",
        "aba",
        "bab",
        "aa",
        "aaa",
        "▁a▁",
        "👩",
        "\u200d",
        "\u0301",
        "가",
        "[UNK]x",
        "http",
    ]
    pieces += [chr(code) for code in range(33, 123)]
    vocabulary = [[token, 0.0] for token in SPECIALS]
    # A few scores many times over, so that there are ties, and some with more digits than fit.
    scores = [-2.5, -3.0, -5.5, -24.518644332885746, -0.1000000000000000055511151231257827, -7e-3]
    vocabulary += [[piece, rng.choice(scores)] for piece in dict.fromkeys(pieces)]
    added = [(index, token) for index, token in enumerate(SPECIALS)]
    added.append((len(vocabulary), "[MASK]"))
    normalizers = [
        {"type": "Strip", "strip_left": True, "strip_right": True},
        {
            "type": "Precompiled",
            "precompiled_charsmap": b64encode(
                charsmap({key.encode(): value for key, value in RULES.items()})
            ).decode(),
        },
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    ]
    metaspace = {
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True,
    }  # fmt: skip
    return {
        "version": "1.0",
        "truncation": {
            "direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0,
        },
        "padding": None,
        "added_tokens": [
            {
                "id": index, "content": token, "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": token == "[UNK]", "special": True,
            }
            for index, token in added
        ],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [metaspace]},
        "post_processor": _template(),
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": False},
    }  # fmt: skip


def deberta(path: Path) -> Path:
    """Write :func:`deberta_content`."""
    path.write_text(json.dumps(deberta_content(), ensure_ascii=False), "utf-8")
    return path


def _template() -> dict[str, Any]:
    first: list[dict[str, Any]] = [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ]
    second: list[dict[str, Any]] = [
        {"Sequence": {"id": "B", "type_id": 1}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 1}},
    ]
    tokens = {
        token: {"id": token, "ids": [SPECIALS.index(token)], "tokens": [token]}
        for token in ("[CLS]", "[SEP]")
    }
    return {
        "type": "TemplateProcessing", "single": first, "pair": first + second,
        "special_tokens": tokens,
    }  # fmt: skip


def cased(path: Path) -> Path:
    """Write a WordPiece tokenizer with the normaliser of cased BERT."""
    library: Any = import_module("tokenizers")
    chars = dict.fromkeys("".join(FRAGMENTS) + "".join(map(chr, range(33, 0x250))))
    whole = ["the", "wing", "of", "naïve", "café", "Zürich", "straße", "日本", "A", "flow"]
    pieces = [char for char in chars if not char.isspace()]
    words = dict.fromkeys(
        [*SPECIALS, *whole, *pieces, *(f"##{piece}" for piece in pieces), "##ing"]
    )
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = library.Tokenizer(library.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = library.normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
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
