"""Token ids equal to Hugging Face's, truncation known exactly, and bad texts refused."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_rerank import InputError, TokenizerError
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank.tokenizing.huggingface import HuggingFaceTokenizer, longest_first
from tests.conftest import word_tokenizer
from tests.support.batches import rows_of
from tests.support.made_tokenizers import byte_level, deberta, text, unigram

PAIRS = 2500
REAL = "EDGE_RERANK_TEST_TOKENIZER"


def wordpiece(path: Path) -> Path:
    word_tokenizer().save(str(path))
    return path


def real(path: Path) -> Path:
    if REAL not in os.environ:
        pytest.skip(f"{REAL} names no tokenizer.json")
    return Path(os.environ[REAL])


KINDS: dict[str, Callable[[Path], Path]] = {
    "unigram": unigram,
    "deberta": deberta,
    "wordpiece": wordpiece,
    "byte_level": byte_level,
    "real": real,
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer_path(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return KINDS[request.param](tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="module")
def unigram_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unigram(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.mark.parametrize("max_length", [12, 33, 128, 512])
def test_ids_are_those_of_hugging_face(tokenizer_path: Path, max_length: int) -> None:
    transformers: Any = pytest.importorskip("transformers")
    reference = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_path))
    rng, longest = random.Random(max_length), 10 * max_length
    pairs = [(text(rng, longest), text(rng, longest)) for _ in range(PAIRS // 4)]
    ours = rows_of(PairTokenizer(tokenizer_path, max_length=max_length).encode(pairs))
    for pair, (query, document) in zip(ours, pairs, strict=True):
        # Lists: for two strings, it takes an empty second one as none at all.
        cut = reference(
            [query], [document], truncation=True, max_length=max_length, return_token_type_ids=True
        )
        assert list(pair.ids) == cut["input_ids"][0], (query, document)
        types = [0] * pair.first + [1] * (len(pair.ids) - pair.first)
        assert types == cut["token_type_ids"][0], (query, document)
        whole = reference([query], [document])["input_ids"][0]
        assert pair.truncated == (len(whole) > max_length), (query, document)
    assert {pair.truncated for pair in ours} == {True, False}


def test_very_long_texts_too(tokenizer_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    reference = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_path))
    long = "the wing of a naïve café \x00 中文 [SEP] 😀  " * 3000
    pairs = [("the wing", long), (long, ""), ("", long), (long, "flow")]
    ours = rows_of(PairTokenizer(tokenizer_path, max_length=256).encode(pairs))
    for pair, (query, document) in zip(ours, pairs, strict=True):
        expected = reference([query], [document], truncation=True, max_length=256)
        assert list(pair.ids) == expected["input_ids"][0]
        assert pair.truncated


def test_two_very_long_texts_need_no_more_memory(unigram_path: Path) -> None:
    pair = PairTokenizer(unigram_path, max_length=12).encode([("the " * 50_000, "a " * 50_000)])
    assert (pair.lengths.tolist(), pair.truncated.tolist()) == ([12], [True])


def test_company_and_threads_change_nothing(unigram_path: Path) -> None:
    rng = random.Random(5)
    pairs = [(text(rng), text(rng)) for _ in range(200)]
    tokenizer = PairTokenizer(unigram_path, max_length=64)
    alone = [rows_of(tokenizer.encode([pair]))[0] for pair in pairs]
    assert rows_of(tokenizer.encode(pairs)) == alone
    pooled = HuggingFaceTokenizer(unigram_path, max_length=64)
    pooled._parallel = True
    assert rows_of(pooled.encode(pairs)) == alone
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: tokenizer.encode(pairs), range(16)))
    assert all(rows_of(batch) == alone for batch in got)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(2, 60))
def test_longest_first_fills_the_budget_and_cuts_the_longer(a: int, b: int, budget: int) -> None:
    first, second = longest_first(a, b, budget)
    assert first <= a
    assert second <= b
    assert first + second == min(a + b, budget)
    if first < a and second < b:
        assert abs(first - second) <= 1
    elif first < a:
        assert first >= second


@given(st.text(), st.text())
@settings(max_examples=200)
def test_any_text_is_encoded(shared_unigram: PairTokenizer, query: str, document: str) -> None:
    (pair,) = rows_of(shared_unigram.encode([(query, document)]))
    assert 3 <= len(pair.ids) <= 40
    assert pair.ids[0] == 1
    assert pair.ids[-1] == pair.ids[pair.first - 1] == 2


@pytest.fixture(scope="module")
def shared_unigram(unigram_path: Path) -> PairTokenizer:
    return PairTokenizer(unigram_path, max_length=40)


def test_a_query_is_encoded_once(unigram_path: Path) -> None:
    tokenizer = HuggingFaceTokenizer(unigram_path, max_length=40)
    seen: list[str] = []
    inner = tokenizer._tokenizer

    class Spy:
        def encode(self, words: str, **keywords: Any) -> Any:
            seen.append(words)
            return inner.encode(words, **keywords)

    tokenizer._tokenizer = Spy()
    tokenizer.encode([("the wing", "a"), ("the wing", "b"), ("flow", "c"), ("the wing", "d")])
    assert seen == ["the wing", "flow", "a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("a", None), "pair 1: the document is None; expected a string"),
        ((b"a", "b"), "pair 1: the query is b'a'; expected a string"),
        (("a", "b\udfff"), r"pair 1: the document holds the lone surrogate '\\udfff' at char.* 1"),
        (("\ud83d", "b"), "pair 1: the query holds the lone surrogate"),
    ],
)
def test_bad_texts_are_named(unigram_path: Path, pair: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PairTokenizer(unigram_path, max_length=40).encode([("a", "b"), pair])


@pytest.mark.parametrize("length", [-1, 0, 3, 4])
def test_no_room_for_text(unigram_path: Path, length: int) -> None:
    with pytest.raises(InputError, match=f"max_length is {length}; at least 5 are needed: 3 spec"):
        PairTokenizer(unigram_path, max_length=length)
    assert PairTokenizer(unigram_path, max_length=5).encode([("a b", "c d")]).truncated.all()


def test_a_panic_in_the_library_is_a_typed_error(unigram_path: Path) -> None:
    class PanicException(BaseException):
        """What pyo3 raises; not an Exception."""

    class Panicking:
        def encode(self, words: str, **keywords: Any) -> Any:
            raise PanicException("index out of bounds")

    tokenizer = HuggingFaceTokenizer(unigram_path, max_length=40)
    tokenizer._tokenizer = Panicking()
    with pytest.raises(TokenizerError, match="failed on a text: index out of bounds"):
        tokenizer.encode([("a", "b")])


def test_interrupts_pass_through(unigram_path: Path) -> None:
    class Interrupting:
        def encode(self, words: str, **keywords: Any) -> Any:
            raise KeyboardInterrupt

    tokenizer = HuggingFaceTokenizer(unigram_path, max_length=40)
    tokenizer._tokenizer = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        tokenizer.encode([("a", "b")])


def test_templates_that_do_not_fit(tmp_path: Path) -> None:
    library: Any = import_module("tokenizers")
    swapped = word_tokenizer()
    swapped.post_processor = library.processors.TemplateProcessing(
        single="$A", pair="$B $A", special_tokens=[]
    )
    swapped.save(str(tmp_path / "swapped.json"))
    with pytest.raises(TokenizerError, match="not query before document"):
        PairTokenizer(tmp_path / "swapped.json", max_length=40)
    value = json.loads((tmp_path / "swapped.json").read_text("utf-8"))
    value["model"]["vocab"] = {"[UNK]": 0}
    value["normalizer"] = {"type": "Replace", "pattern": {"String": "a"}, "content": ""}
    (tmp_path / "empty.json").write_text(json.dumps(value), "utf-8")
    with pytest.raises(TokenizerError, match="no token for the letter 'a'"):
        PairTokenizer(tmp_path / "empty.json", max_length=40)


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_one_thread_starts_no_pool(unigram_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from edge_rerank.tokenizing.choose import PairTokenizer\n"
        "tokenizer = PairTokenizer(pathlib.Path(sys.argv[1]), max_length=40, threads=1)\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "tokenizer.encode([('the wing', 'flow %d' % i) for i in range(100)])\n"
        "print(len(os.listdir('/proc/self/task')) - before)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(unigram_path)], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("0\n", "")


@pytest.mark.parametrize("name", ["native", "tokenizers"])
def test_queries_that_come_back_later_change_nothing(tmp_path: Path, name: Any) -> None:
    rng = random.Random(9)
    queries = [text(rng) for _ in range(7)]
    pairs = [(rng.choice(queries), text(rng)) for _ in range(700)]
    tokenizer = PairTokenizer(deberta(tmp_path / "t.json"), max_length=64, tokenizer=name)
    alone = [rows_of(tokenizer.encode([pair]))[0] for pair in pairs]
    assert rows_of(tokenizer.encode(pairs)) == alone
    assert rows_of(tokenizer.encode([])) == []


def test_each_text_is_made_utf8_once(tmp_path: Path) -> None:
    encoded: list[str] = []

    class Counted(str):
        __slots__ = ()

        def encode(self, *arguments: Any) -> bytes:
            encoded.append(str.__str__(self))
            return super().encode(*arguments)

    tokenizer = PairTokenizer(deberta(tmp_path / "t.json"), max_length=64, tokenizer="native")
    queries = [Counted("größe"), Counted("wing")]
    tokenizer.encode([(queries[place % 2], Counted(f"ö {place}")) for place in range(600)])
    assert sorted(encoded) == sorted(["größe", "wing", *(f"ö {place}" for place in range(600))])


def test_a_missing_library_is_named_with_the_reason(
    unigram_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(TokenizerError) as caught:
        PairTokenizer(unigram_path, max_length=40, tokenizer="tokenizers")
    for piece in ("tokenizers cannot be imported", "it was asked for", "pip install 'tokenizers"):
        assert piece in str(caught.value)
