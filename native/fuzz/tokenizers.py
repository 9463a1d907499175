"""Tiny files of the kinds that the native tokenizer knows, and texts, as inputs of its fuzzer."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from native.unicode.charsmap import charsmap

_SPECIALS = ("[UNK]", "[CLS]", "[SEP]")
_TEXTS = (
    "ab a",
    "b\u0301 [SEP]a",
    "a'll 12 \n b",
    "",
    "\u4e2d\ufb01 \u2581x",
    "\xa9\u200d\xa9\u0301",
    "a" * 30,
)
_RULES = {b"\t": " ", "\ufb01".encode(): "fi", "b\u0301".encode(): "a", "\xa9".encode(): ""}


def _added() -> list[dict[str, Any]]:
    flags = {"single_word": False, "rstrip": False, "special": True}
    return [
        {
            "id": index,
            "content": token,
            "normalized": index == 0,
            "lstrip": index == 2,
            **flags,
        }
        for index, token in enumerate(_SPECIALS)
    ]


def _template() -> dict[str, Any]:
    first, last = ({"SpecialToken": {"id": token, "type_id": 0}} for token in _SPECIALS[1:])
    texts = [{"Sequence": {"id": name, "type_id": 0}} for name in "AB"]
    return {
        "type": "TemplateProcessing",
        "single": [],
        "pair": [first, texts[0], last, texts[1], last],
        "special_tokens": {token: {"ids": [_SPECIALS.index(token)]} for token in _SPECIALS},
    }


def _unigram() -> dict[str, Any]:
    words = [[token, 0] for token in _SPECIALS]
    words += [["\u2581", -2.5], ["\u2581a", -1], ["a", -3], ["ab", -3], ["b", -3], ["fi", -1e1]]
    steps = [
        {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Precompiled", "precompiled_charsmap": b64encode(charsmap(_RULES)).decode()},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    ]
    blank = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"}
    return {
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": {**blank, "split": True},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": words},
    }


def _wordpiece(*, cased: bool) -> dict[str, Any]:
    words = [*_SPECIALS, "a", "b", "##b", "ab", "##a", "\u4e2d"]
    return {
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
            "strip_accents": None, "lowercase": not cased,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 20,
            "vocab": {word: index for index, word in enumerate(words)},
        },
    }  # fmt: skip


def _byte_level() -> dict[str, Any]:
    words = [
        *_SPECIALS,
        "a",
        "b",
        "\u0120",
        "\u010a",
        "\u00cc",
        "\u0123",
        "\u0141",
        "ab",
        "\u0120ab",
    ]
    return {
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True,
        },
        "post_processor": {"type": "RobertaProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
        "model": {
            "type": "BPE", "unk_token": None, "ignore_merges": False, "dropout": None,
            "vocab": {word: index for index, word in enumerate(words)},
            "merges": ["a b", "\u0120 ab"],
        },
    }  # fmt: skip


def _fallback() -> dict[str, Any]:
    words = [*_SPECIALS, "a", "b", "\u2581", "ab", "ba", "<0x61>", "<0xE4>"]
    steps = [{"type": name} for name in ("NFKC", "Lowercase", "StripAccents")]
    replace: dict[str, Any] = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    blank = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never"}
    return {
        "normalizer": {"type": "Sequence", "normalizers": [*steps, replace]},
        "pre_tokenizer": {
            "type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, blank],
        },
        "model": {
            "type": "BPE", "unk_token": "[UNK]", "fuse_unk": True, "byte_fallback": True,
            "vocab": {word: index for index, word in enumerate(words)},
            "merges": [["a", "b"], ["b", "a"]],
        },
    }  # fmt: skip


def tokenizer_inputs() -> dict[str, bytes]:
    """Return inputs of the tokenizer's fuzzer, by name; ``tokenizer.cpp`` says what they are."""
    texts = b"".join(b"\0" + text.encode() for text in _TEXTS)
    return {
        name: json.dumps(
            {"added_tokens": _added(), "post_processor": _template(), **content}, ensure_ascii=False
        ).encode()
        + texts
        for name, content in (
            ("unigram", _unigram()),
            ("wordpiece", _wordpiece(cased=False)),
            ("cased", _wordpiece(cased=True)),
            ("byte-level", _byte_level()),
            ("fallback", _fallback()),
        )
    }
