"""Tokenizers of RoBERTa's, ModernBERT's and XLM-RoBERTa's components, trained on a little text."""

from __future__ import annotations

import json
import pydoc_data.topics
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from native.unicode.charsmap import charsmap
from tests.support.made_tokenizers import FRAGMENTS, RULES

Change = Callable[[dict[str, Any]], Any]

GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
BYTE_LEVEL = {
    "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True,
}  # fmt: skip
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
_TRAINED_ON = 60_000  # characters


@cache
def _merged(words: int) -> str:
    """Return the model of a trained byte-level BPE, as JSON."""
    library: Any = import_module("tokenizers")
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = library.trainers.BpeTrainer(
        vocab_size=words,
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*_texts(), *FRAGMENTS * 3], trainer)
    return json.dumps(json.loads(tokenizer.to_str())["model"])


def _texts() -> list[str]:
    return ["".join(pydoc_data.topics.topics.values())[:_TRAINED_ON]]


def byte_level_model(specials: list[str], words: int = 1200) -> dict[str, Any]:
    """Return a trained model whose vocabulary begins with special tokens."""
    model: dict[str, Any] = json.loads(_merged(words))
    own = [word for word, _ in sorted(model["vocab"].items(), key=lambda entry: entry[1])]
    model["vocab"] = {word: index for index, word in enumerate([*specials, *own])}
    return model


def added(number: int, content: str, **flags: bool) -> dict[str, Any]:
    """Return an entry of added_tokens."""
    named = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    return {"id": number, "content": content, **named, "special": True, **flags}


def pair_template(pieces: str, tokens: dict[str, int]) -> dict[str, Any]:
    """Return a TemplateProcessing whose types are all 0."""
    made = [
        {"Sequence": {"id": piece[1], "type_id": 0}}
        if piece in ("$A", "$B")
        else {"SpecialToken": {"id": piece, "type_id": 0}}
        for piece in pieces.split()
    ]
    return {
        "type": "TemplateProcessing", "single": made[:3], "pair": made,
        "special_tokens": {
            name: {"id": name, "ids": [number], "tokens": [name]} for name, number in tokens.items()
        },
    }  # fmt: skip


def roberta_content() -> dict[str, Any]:
    """Return what a RoBERTa's tokenizer.json holds, with a small vocabulary."""
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    model = byte_level_model(specials)
    model.update(continuing_subword_prefix="", end_of_word_suffix="")
    del model["ignore_merges"], model["byte_fallback"]
    model["vocab"]["<mask>"] = len(model["vocab"])
    model["merges"] = [
        " ".join(pair) for pair in model["merges"]
    ]  # as they were written until 2024
    tokens = [added(index, token, normalized=True) for index, token in enumerate(specials)]
    tokens.append(added(model["vocab"]["<mask>"], "<mask>", lstrip=True))
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": tokens,
        "normalizer": None,
        "pre_tokenizer": {**BYTE_LEVEL, "add_prefix_space": True},
        "post_processor": {
            "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
            "trim_offsets": True, "add_prefix_space": True,
        },
        "decoder": BYTE_LEVEL,
        "model": model,
    }  # fmt: skip


def modernbert_content() -> dict[str, Any]:
    """Return what a ModernBERT's tokenizer.json holds, with a small vocabulary."""
    model = byte_level_model(["|||IP_ADDRESS|||", "<|padding|>"])
    first = len(model["vocab"])
    plain = dict.fromkeys(["normalized"], True)
    tokens = [added(0, "|||IP_ADDRESS|||", special=False, **plain), added(1, "<|padding|>")]
    blanks = [" " * count for count in range(24, 1, -1)]
    others = ["|||EMAIL_ADDRESS|||", "<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    for number, content in enumerate([*blanks, *others, "[unused0]", "[unused1]"], first):
        outside = content.startswith(("[", "<"))
        flags = {"special": outside, "normalized": not outside or "unused" in content}
        tokens.append(added(number, content, lstrip=content == "[MASK]", **flags))
    numbers = {token["content"]: token["id"] for token in tokens}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": tokens,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": BYTE_LEVEL,
        "post_processor": pair_template(
            "[CLS] $A [SEP] $B [SEP]", {name: numbers[name] for name in ("[CLS]", "[SEP]")}
        ),
        "decoder": BYTE_LEVEL,
        "model": model,
    }  # fmt: skip


@cache
def _pieces(words: int) -> str:
    """Return the model of a trained Unigram, as JSON."""
    library: Any = import_module("tokenizers")
    tokenizer = library.Tokenizer(library.models.Unigram())
    tokenizer.pre_tokenizer = library.pre_tokenizers.Metaspace()
    trainer = library.trainers.UnigramTrainer(
        vocab_size=words,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator([*_texts(), *FRAGMENTS * 3], trainer)
    return json.dumps(json.loads(tokenizer.to_str())["model"])


def xlm_roberta_content() -> dict[str, Any]:
    """Return what an XLM-RoBERTa's tokenizer.json holds, with a small vocabulary."""
    model: dict[str, Any] = json.loads(_pieces(1200))
    model["vocab"].append(["<mask>", 0.0])
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    tokens = [added(index, token) for index, token in enumerate(specials)]
    tokens.append(added(len(model["vocab"]) - 1, "<mask>", lstrip=True))
    rules = {key.encode(): value for key, value in RULES.items()}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": tokens,
        "normalizer": {
            "type": "Precompiled", "precompiled_charsmap": b64encode(charsmap(rules)).decode(),
        },
        "pre_tokenizer": {
            "type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE],
        },
        "post_processor": pair_template("<s> $A </s> </s> $B </s>", {"<s>": 0, "</s>": 2}),
        "decoder": METASPACE,
        "model": model,
    }  # fmt: skip


def fallback_content() -> dict[str, Any]:
    """Return a BPE of characters, whose bytes stand in for what is unknown."""
    model = byte_level_model([])
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = [chr(code) for code in range(33, 127)] + ["▁", "é", "文"]
    pairs = [
        (left.replace("Ġ", "▁"), right.replace("Ġ", "▁"))
        for left, right in model["merges"]
        if (left + right).replace("Ġ", "").isascii()
    ]
    words += dict.fromkeys([*letters, *(left + right for left, right in pairs)])
    model["vocab"] = {word: index for index, word in enumerate(dict.fromkeys(words))}
    model["merges"] = pairs
    model.update(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(1, "<s>"), added(2, "</s>", rstrip=True)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
        "pre_tokenizer": None,
        "post_processor": {
            "type": "Sequence",
            "processors": [
                {**BYTE_LEVEL, "trim_offsets": False},
                pair_template("<s> $A </s> $B </s>", {"<s>": 1, "</s>": 2}),
            ],
        },
        "decoder": None,
        "model": model,
    }  # fmt: skip


CONTENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "roberta": roberta_content, "modernbert": modernbert_content,
    "xlm-roberta": xlm_roberta_content, "fallback": fallback_content,
}  # fmt: skip


def write_content(path: Path, content: dict[str, Any], *changes: Change) -> Path:
    """Write a tokenizer.json, changed."""
    for change in changes:
        change(content)
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return path
