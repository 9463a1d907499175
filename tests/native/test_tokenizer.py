"""The native tokenizer gives what the tokenizers library gives, or else refuses the file."""

from __future__ import annotations

import json
import os
import pydoc_data.topics
import random
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.errors import InputError
from edge_rerank.native_library import Library
from edge_rerank.tokenizing.choose import PairTokenizer
from native.unicode.charsmap import charsmap
from tests.conftest import word_tokenizer
from tests.support.batches import rows_of
from tests.support.made_tokenizers import (
    FRAGMENTS,
    RULES,
    SPECIALS,
    cased,
    deberta,
    deberta_content,
    text,
)
from tests.support.trained_tokenizers import CONTENTS, write_content

REAL = "EDGE_RERANK_TEST_TOKENIZER"
CHUNK = 64
CODES = [code for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


def builtin_tokenizer(path: Path) -> Path:
    return builtin_model() / "tokenizer.json"


def words(path: Path) -> Path:
    word_tokenizer().save(str(path))
    return path


def real(path: Path) -> Path:
    if REAL not in os.environ:
        pytest.skip(f"{REAL} names no tokenizer.json")
    return Path(os.environ[REAL])


def _trained(make: Callable[[], dict[str, Any]], path: Path) -> Path:
    return write_content(path, make())


KINDS: dict[str, Callable[[Path], Path]] = {
    "unigram": deberta, "wordpiece": words, "cased": cased,
    "built-in": builtin_tokenizer, "real": real,
    **{name: partial(_trained, make) for name, make in CONTENTS.items()},
}  # fmt: skip


class Both:
    """The native tokenizer and the library's, on one file."""

    def __init__(self, path: Path, max_length: int) -> None:
        """Read the file twice."""
        self.path = path
        self.native = PairTokenizer(path, max_length=max_length, tokenizer="native")
        self.reference = PairTokenizer(path, max_length=max_length, tokenizer="tokenizers")

    def agree(self, pairs: list[tuple[str, str]]) -> None:
        """Hold all that is said of each pair to be the same."""
        ours, theirs = rows_of(self.native.encode(pairs)), rows_of(self.reference.encode(pairs))
        for pair, our, their in zip(pairs, ours, theirs, strict=True):
            assert our == their, pair


@pytest.fixture(scope="module", params=KINDS)
def both(
    request: pytest.FixtureRequest, library: Library, tmp_path_factory: pytest.TempPathFactory
) -> Both:
    path = KINDS[request.param](tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")
    return Both(path, 512)


def agree_on_content(content: dict[str, Any], pairs: list[tuple[str, str]], folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(content), "utf-8")
    Both(path, 512).agree(pairs)


def test_on_text_of_all_sorts(both: Both) -> None:
    rng = random.Random(3)
    both.agree([(text(rng), text(rng)) for _ in range(1500)])


@pytest.mark.slow
def test_on_many_texts_of_all_sorts(both: Both) -> None:
    rng = random.Random(5)
    for _ in range(40):
        both.agree([(text(rng, 600), text(rng, 600)) for _ in range(500)])


def test_on_prose_whole_and_damaged(both: Both) -> None:
    rng = random.Random(4)
    topics = [part for topic in pydoc_data.topics.topics.values() for part in topic.split("\n\n")]
    damaged = [_damaged(rng, part[:400]) for part in topics[:1000]]
    both.agree(list(zip(topics[:1000], damaged, strict=True)))


def _damaged(rng: random.Random, words: str) -> str:
    for _ in range(3):
        place = rng.randrange(len(words) + 1)
        words = words[:place] + rng.choice(FRAGMENTS)[:20] + words[place + rng.randrange(3) :]
    return words


def test_on_many_characters(both: Both) -> None:
    """Each stands before and behind accents of several classes, and doubled."""
    agree_on_characters(both, [*CODES[:0x3400], *CODES[0x3400::29]])


@pytest.mark.slow
def test_on_every_character(both: Both) -> None:
    agree_on_characters(both, CODES)


def agree_on_characters(both: Both, codes: list[int]) -> None:
    for start in range(0, len(codes), CHUNK * 64):
        chars = [chr(code) for code in codes[start : start + CHUNK * 64]]
        both.agree(
            [
                (
                    " ".join(f"a{char}\u0327{char}1{char}'" for char in chars[at : at + CHUNK]),
                    " ".join(f"\u0345{char}\u0301{char}" for char in chars[at : at + CHUNK]),
                )
                for at in range(0, len(chars), CHUNK)
            ]
        )


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=20))
@settings(max_examples=150)
def test_on_anything(both: Both, pairs: list[tuple[str, str]]) -> None:
    both.agree(pairs)


_CLUSTERS = [
    "\u0301",
    "\u0344",
    "\u0327",
    "\u200d",
    "\u0600",
    "©",
    "\u263a",
    "\U0001f468",
    "a",
    " ",
]
_CLUSTERS += [
    "\u0915",
    "\u094d",
    "\u093c",
    "\u0928",
    "\u1100",
    "\u1161",
    "\u11a8",
    "가",
    "각",
    "\r",
]
_CLUSTERS += ["\n", "\xad", "\u200c", "\U0001f1e6", "\ufe0f", "\U0001f3fb", "\u0903", "\u0e33", "x"]


@given(st.lists(st.sampled_from(_CLUSTERS), max_size=12))
@settings(max_examples=400)
def test_on_grapheme_clusters(both: Both, parts: list[str]) -> None:
    both.agree([("".join(parts), "".join(reversed(parts)))])


_TOKENS = ["[SEP]", "[CLS]", "[MASK]", "[UNK]", "[PAD]", "[", "[S", "EP]", "［UNK］", " ", "▁", "x"]
_TOKENS += ["<s>", "</s>", "<mask>", "<|padding|>", "|||IP_ADDRESS|||", "   ", "\n", "\u3000"]


@given(st.lists(st.sampled_from(_TOKENS), max_size=10))
@settings(max_examples=200)
def test_on_added_tokens_within_texts(both: Both, parts: list[str]) -> None:
    both.agree([("".join(parts), " ".join(parts))])


@given(st.integers(0, 70), st.integers(0, 70))
@settings(max_examples=25)
def test_cut_at_every_length(tmp_path_factory: Any, library: Library, a: int, b: int) -> None:
    path = deberta(tmp_path_factory.getbasetemp() / "cut.json")
    for max_length in range(5, 90, 7):
        Both(path, max_length).agree([("the " * a, "wing " * b)])


def test_on_long_texts_in_time_that_grows_with_them(both: Both) -> None:
    long = "".join(FRAGMENTS) * 20
    both.agree([(long, ""), ("", long), (long, long), ("a" * 20_000, "\u0301" * 20_000)])
    pair = both.native.encode([("the", "ab[" * 350_000)])  # minutes, if it grew faster
    assert pair.truncated.all()


def test_a_long_query_costs_its_time_once(both: Both) -> None:
    query = "the größe of a wing " * 250_000  # 5 MB

    def seconds(documents: int) -> float:
        start = time.process_time()
        both.native.encode([(query, f"{place}") for place in range(documents)])
        return time.process_time() - start

    one = min(seconds(1) for _ in range(3))
    many = min(seconds(200) for _ in range(3))
    assert many < 4 * one + 0.05  # 12 times, when it was checked for each


def test_from_many_threads(both: Both) -> None:
    rng = random.Random(5)
    pairs = [(text(rng), text(rng)) for _ in range(600)]
    expected = rows_of(both.native.encode(pairs))
    assert [rows_of(both.native.encode([pair]))[0] for pair in pairs[:100]] == expected[:100]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: both.native.encode(pairs), "abcd"))
    assert all(rows_of(batch) == expected for batch in got)


@given(st.data())
@settings(max_examples=150)
def test_any_vocabulary(tmp_path_factory: Any, library: Library, data: st.DataObject) -> None:
    """Scores of all sorts, with ties and digits beyond what a double holds."""
    token = st.text("ab▁éx", min_size=1, max_size=4)
    vocabulary = data.draw(st.lists(token, unique=True, max_size=25))
    score = st.sampled_from([-1.0, -2.0, -3.0]) | st.floats(-30, 5) | st.decimals(-30, 0, places=19)
    content = deberta_content()
    scores = [float(data.draw(score)) for _ in vocabulary]
    own = [[token, 0.0] for token in SPECIALS]
    content["model"]["vocab"] = own + [
        list(entry) for entry in zip(vocabulary, scores, strict=True)
    ]
    content["added_tokens"][-1]["id"] = len(content["model"]["vocab"])
    texts = st.text("abéxy ", max_size=30)
    pairs = data.draw(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
    agree_on_content(content, pairs, tmp_path_factory.getbasetemp())


@given(st.data())
@settings(max_examples=150)
def test_any_charsmap(tmp_path_factory: Any, library: Library, data: st.DataObject) -> None:
    part = st.text("bé\u0301©\u200d中\u0928\u093c\r\n", min_size=1, max_size=3)
    # None of "a", of which the reference must make a token to learn its template.
    rules = data.draw(st.dictionaries(part, st.text("abé 中\u0301", max_size=3), max_size=8))
    content = deberta_content()
    content["normalizer"]["normalizers"][1]["precompiled_charsmap"] = b64encode(
        charsmap({key.encode(): value for key, value in rules.items()})
    ).decode()
    pairs = data.draw(st.lists(st.tuples(part, part), min_size=1, max_size=8))
    agree_on_content(
        content, [("".join(p) * 2, p[0]) for p in pairs], tmp_path_factory.getbasetemp()
    )


def test_scores_are_rounded_as_by_the_library(library: Library, tmp_path: Path) -> None:
    """Which is not always to the nearest double: words have two ways that differ by that alone."""
    rng = random.Random(6)
    content = deberta_content()
    vocabulary = [[token, 0.0] for token in SPECIALS]
    letters = [chr(0x4E00 + index) for index in range(1500)]
    scores: list[str] = []
    for letter in letters:
        start = f"-{rng.randrange(1, 30)}.{rng.randrange(10**14):014}"
        scores += [f"{start}{rng.randrange(10 ** rng.randint(1, 9))}" for _ in range(2)]
        vocabulary += [[f"▁{letter}b", 0.0], [f"▁{letter}", 0.0]]
    content["model"]["vocab"] = [*vocabulary, ["b", 0.0]]
    content["added_tokens"][-1]["id"] = len(vocabulary) + 1
    content["normalizer"] = None
    body = json.dumps(content)
    for (word, _), score in zip(vocabulary[len(SPECIALS) :], scores, strict=True):
        body = body.replace(f"{json.dumps(word)}, 0.0]", f"{json.dumps(word)}, {score}]")
    path = tmp_path / "tokenizer.json"
    path.write_text(body, "utf-8")
    both = Both(path, 512)
    both.agree([(f"{letter}b", "b") for letter in letters])
    read = import_module("tokenizers").Tokenizer.from_file(str(path)).to_str()
    values = [score for _, score in json.loads(read)["model"]["vocab"]][len(SPECIALS) : -1]
    assert values != [float(score) for score in scores]


def test_an_unknown_word_is_one_token(library: Library, tmp_path: Path) -> None:
    tokenizer = PairTokenizer(deberta(tmp_path / "t.json"), max_length=64, tokenizer="native")
    pair = tokenizer.encode([("\U0010fffe\U0010ffff", "x")])
    assert pair.ids.tolist().count(SPECIALS.index("[UNK]")) == 1


@pytest.mark.parametrize("bad", ["\ud800", "a\udfffb"])
def test_lone_surrogates_are_named(both: Both, bad: str) -> None:
    with pytest.raises(InputError, match="pair 1: the document holds the lone surrogate"):
        both.native.encode([("a", "b"), ("a", bad)])


def test_the_rules_are_of_all_kinds() -> None:
    assert "" in RULES.values()
    assert any(len(key.encode()) > 4 for key in RULES)
