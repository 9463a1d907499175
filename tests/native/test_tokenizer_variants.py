"""The forms that components take in files of BPE and Unigram, each as the library has it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_rerank.native_library import Library, UnavailableError
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank.tokenizing.native import NativeTokenizer
from tests.native.test_tokenizer import Both
from tests.support.made_tokenizers import text
from tests.support.trained_tokenizers import (
    BYTE_LEVEL,
    GPT2_PATTERN,
    METASPACE,
    Change,
    added,
    fallback_content,
    modernbert_content,
    roberta_content,
    write_content,
    xlm_roberta_content,
)

Content = Callable[[], dict[str, Any]]


def changed(**members: Any) -> Change:
    return lambda content: content.update(members)


def model(**members: Any) -> Change:
    return lambda content: content["model"].update(members)


def cut(*steps: dict[str, Any]) -> Change:
    return changed(pre_tokenizer={"type": "Sequence", "pretokenizers": list(steps)})


def split(*, invert: bool) -> dict[str, Any]:
    behavior = "Removed" if invert else "Isolated"
    return {
        "type": "Split", "pattern": {"Regex": GPT2_PATTERN}, "behavior": behavior, "invert": invert,
    }  # fmt: skip


def normal(*types: str) -> Change:
    steps = [{"type": name} for name in types]
    return changed(normalizer={"type": "Sequence", "normalizers": steps})


def blanks(content: str) -> Change:
    step = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": content}
    return changed(normalizer=step)


def without(*names: str) -> Change:
    def change(content: dict[str, Any]) -> None:
        for name in names:
            content["model"].pop(name, None)

    return change


WHOLE = {**BYTE_LEVEL, "use_regex": False}
PREFIXED = {**WHOLE, "add_prefix_space": True}
STRIP = {"type": "Strip", "strip_left": False, "strip_right": True}
BERT = {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]}

VARIANTS: dict[str, tuple[Content, tuple[Change, ...]]] = {
    "the pattern in a split": (modernbert_content, (cut(split(invert=False), WHOLE),)),
    "what is between": (modernbert_content, (cut(split(invert=True), WHOLE),)),
    "a prefix for each part": (modernbert_content, (cut(split(invert=True), PREFIXED),)),
    "no pattern": (modernbert_content, (changed(pre_tokenizer=WHOLE),)),
    "no pattern, a prefix": (modernbert_content, (changed(pre_tokenizer=PREFIXED),)),
    "a pattern not mentioned": (
        modernbert_content,
        (lambda content: content["pre_tokenizer"].pop("use_regex"),),
    ),
    "words before bytes": (modernbert_content, (cut({"type": "WhitespaceSplit"}, WHOLE),)),
    "whole words first": (modernbert_content, (model(ignore_merges=True),)),
    "no dropout": (modernbert_content, (model(dropout=0.0),)),
    "lower case": (roberta_content, (normal("Lowercase"),)),
    "compatible": (roberta_content, (normal("NFKC", "Lowercase"),)),
    "apart": (modernbert_content, (normal("NFD"),)),
    "apart, compatible": (modernbert_content, (normal("NFKD"),)),
    "without accents": (modernbert_content, (normal("NFD", "Lowercase", "StripAccents"),)),
    "types": (roberta_content, (changed(post_processor=BERT),)),
    "unknown ones apart": (fallback_content, (model(fuse_unk=False, byte_fallback=False),)),
    "unknown ones in one": (fallback_content, (model(byte_fallback=False),)),
    "unknown ones go": (fallback_content, (model(byte_fallback=False, unk_token=None),)),
    "some bytes missing": (
        fallback_content,
        (
            lambda content: content["model"]["vocab"].update(
                {"!!": content["model"]["vocab"].pop("<0xE4>")}
            ),
        ),
    ),
    "nothing mentioned": (
        roberta_content,
        (without("unk_token", "dropout", "fuse_unk", "continuing_subword_prefix"),),
    ),
    "one Metaspace": (xlm_roberta_content, (changed(pre_tokenizer=METASPACE),)),
    "older Metaspace": (
        xlm_roberta_content,
        (
            changed(
                pre_tokenizer={
                    "type": "Metaspace", "replacement": "▁", "str_rep": "▁",
                    "add_prefix_space": True,
                }
            ),
        ),
    ),
    "a blank before the first": (
        xlm_roberta_content,
        (changed(pre_tokenizer={**METASPACE, "prepend_scheme": "first"}),),
    ),
    "no blank before": (
        xlm_roberta_content,
        (changed(pre_tokenizer={**METASPACE, "prepend_scheme": "never"}),),
    ),
    "no blank before words": (
        xlm_roberta_content,
        (cut({"type": "WhitespaceSplit"}, {**METASPACE, "prepend_scheme": "never"}),),
    ),
    "not cut at blanks": (
        xlm_roberta_content,
        (changed(pre_tokenizer={**METASPACE, "split": False}),),
    ),
    "one blank for several": (
        xlm_roberta_content,
        (blanks("▁"), changed(pre_tokenizer=METASPACE)),
    ),
    "the end is stripped": (
        xlm_roberta_content,
        (changed(normalizer=STRIP), changed(pre_tokenizer=METASPACE)),
    ),
    "words alone": (xlm_roberta_content, (changed(pre_tokenizer={"type": "WhitespaceSplit"}),)),
    "no pre-tokenizer": (xlm_roberta_content, (changed(pre_tokenizer=None),)),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_variants(name: str, library: Library, tmp_path: Path) -> None:
    make, changes = VARIANTS[name]
    both = Both(write_content(tmp_path / "tokenizer.json", make(), *changes), 256)
    rng = random.Random(7)
    both.agree([(text(rng, 400), text(rng, 400)) for _ in range(250)])
    both.agree(
        [("don't we'll I'VE '", " 's '  'll\u2009x  \n\n y\t"), ("<mask>  a", " \n<mask>b ")]
    )


FLAGS = ("single_word", "lstrip", "rstrip", "normalized")


@given(st.data())
@settings(max_examples=60)
def test_added_tokens_with_any_flags(
    tmp_path_factory: Any, library: Library, data: st.DataObject
) -> None:
    """Which may lie within one another, and take white space that another one begins with."""
    content = data.draw(st.sampled_from([roberta_content, modernbert_content]))()
    words = st.sampled_from(["ab", "b", " ", "a b", "\n", "é", "e\u0301", "Ab ", " x", "the"])
    known = {token["content"] for token in content["added_tokens"]}
    top = max(token["id"] for token in content["added_tokens"])
    numbers = iter(range(max(top + 1, len(content["model"]["vocab"])), 1 << 20))
    for token in data.draw(st.lists(words, unique=True, min_size=1, max_size=5)):
        if token in known or (token == "é" and "e\u0301" in known):
            continue
        known.add({"e\u0301": "é"}.get(token, token))
        number = content["model"]["vocab"].get(token)
        flags = {name: data.draw(st.booleans()) for name in FLAGS}
        content["added_tokens"].append(
            added(next(numbers) if number is None else number, token, **flags)
        )
    part = st.sampled_from(["a", "b", "ab", " ", "  ", "\n", "é", "e\u0301", "the", "x", "<mask>"])
    texts = st.lists(part, max_size=12).map("".join)
    pairs = data.draw(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
    path = tmp_path_factory.getbasetemp() / "flags.json"
    Both(write_content(path, content), 64).agree(pairs)


@given(st.data())
@settings(max_examples=100)
def test_any_merges(tmp_path_factory: Any, library: Library, data: st.DataObject) -> None:
    """In any order, also such as no training would give, and of the same parts twice."""
    content = fallback_content()
    words = ["<unk>", "<s>", "</s>", "a", "b", "▁"]
    merges = []
    for _ in range(data.draw(st.integers(0, 12))):
        pair = data.draw(st.tuples(st.sampled_from(words), st.sampled_from(words)))
        merges.append(pair)
        words = list(dict.fromkeys([*words, "".join(pair)]))
    content["model"].update(
        vocab={word: index for index, word in enumerate(words)},
        merges=data.draw(st.permutations(merges)),
        fuse_unk=data.draw(st.booleans()),
        ignore_merges=data.draw(st.booleans()),
    )
    texts = st.text("ab c", max_size=40) | st.text("ab", min_size=60, max_size=200)
    pairs = data.draw(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
    path = tmp_path_factory.getbasetemp() / "merges.json"
    Both(write_content(path, content), 512).agree(pairs)


@pytest.mark.parametrize("make", [roberta_content, fallback_content, xlm_roberta_content])
def test_long_words_in_time_that_grows_with_them(
    make: Content, library: Library, tmp_path: Path
) -> None:
    path = write_content(tmp_path / "tokenizer.json", make())
    for word in ("a" * 20_000, "thethe" * 3000, "é" * 5000, "word" * 4000):
        Both(path, 512).agree([(word, "x"), ("x", word)])
    start = time.process_time()
    PairTokenizer(path, max_length=512, tokenizer="native").encode([("x", "theabc" * 200_000)])
    assert time.process_time() - start < 20  # half a second; hours, if all pairs were looked at


REFUSED: dict[str, tuple[Content, Change, str]] = {
    "dropout": (roberta_content, model(dropout=0.1), "dropout, with which"),
    "a prefix": (roberta_content, model(continuing_subword_prefix="##"), "continuing_subword_pre"),
    "a suffix": (roberta_content, model(end_of_word_suffix="</w>"), "a BPE with end_of_word_suf"),
    "no such unknown": (roberta_content, model(unk_token="<?>"), "unk_token is not in the vocab"),
    "a strange merge": (roberta_content, model(merges=["t qqq"]), 'the merge of "t" and "qqq"'),
    "three parts": (roberta_content, model(merges=["t h e"]), "is not of two parts"),
    "a list": (roberta_content, model(vocab=[["a", 0]]), "a vocabulary that is a list"),
    "ids with a hole": (
        roberta_content,
        lambda content: content["model"]["vocab"].update(new=9999),
        "the vocabulary's ids are not 0, 1 and so on",
    ),
    "another pattern": (
        modernbert_content,
        cut({**split(invert=False), "pattern": {"Regex": r"\s+"}}, WHOLE),
        "Split by a pattern that is not known; known is GPT-2's",
    ),
    "what is thrown away": (
        modernbert_content,
        cut({**split(invert=False), "behavior": "Removed"}, WHOLE),
        "Split that does not keep",
    ),
    "two that cut": (
        modernbert_content,
        cut({"type": "WhitespaceSplit"}, split(invert=False), WHOLE),
        "after another that cuts",
    ),
    "two patterns": (modernbert_content, cut(split(invert=False), BYTE_LEVEL), "use_regex after"),
    "two that write": (modernbert_content, cut(WHOLE, METASPACE), "Metaspace after ByteLevel"),
    "digits": (
        modernbert_content,
        cut({"type": "Digits"}, WHOLE),
        "the pre-tokenizer Digits is not known; known are BertPreTokenizer, ByteLevel, Metaspace",
    ),
    "a normalizer": (
        modernbert_content,
        changed(normalizer={"type": "Nmt"}),
        "the normalizer Nmt is not known; known are BertNormalizer, Lowercase, NFC, NFD, NFKC",
    ),
    "a model": (
        modernbert_content,
        lambda content: content["model"].update(type="WordLevel"),
        "the model WordLevel is not known; known are BPE, Unigram, WordPiece",
    ),
    "a processor": (
        modernbert_content,
        changed(post_processor={"type": "Other"}),
        "the post-processor Other is not known; known are BertProcessing, ByteLevel, Roberta",
    ),
    "two processors": (
        modernbert_content,
        changed(post_processor={"type": "Sequence", "processors": [BERT, BERT]}),
        "after another one",
    ),
    "the first, stripped": (
        xlm_roberta_content,
        lambda content: content.update(
            normalizer={**STRIP, "strip_left": True},
            pre_tokenizer={**METASPACE, "prepend_scheme": "first"},
        ),
        "prepend_scheme first with a normalizer that may take off a text's beginning",
    ),
    "the first, and tokens": (
        xlm_roberta_content,
        lambda content: (
            content.update(pre_tokenizer={**METASPACE, "prepend_scheme": "first"}),
            content["added_tokens"][0].update(normalized=True),
        ),
        "prepend_scheme first with added tokens that are normalized",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named(name: str, library: Library, tmp_path: Path) -> None:
    make, change, message = REFUSED[name]
    path = write_content(tmp_path / "tokenizer.json", make(), change)
    with pytest.raises(UnavailableError) as caught:
        NativeTokenizer(path, max_length=64)
    assert message in str(caught.value)
