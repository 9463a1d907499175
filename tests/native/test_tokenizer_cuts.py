"""A long text is read as far as its tokens matter, with the results of reading all of it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_rerank import InputError
from edge_rerank.native_library import Library
from edge_rerank.tokenizing.huggingface import HuggingFaceTokenizer
from edge_rerank.tokenizing.native import NativeTokenizer, _texts
from tests.native.test_tokenizer import KINDS
from tests.native.test_tokenizer_variants import VARIANTS
from tests.support.batches import Row, rows_of
from tests.support.made_tokenizers import text
from tests.support.trained_tokenizers import modernbert_content, write_content

LENGTHS = (7, 8, 16, 33)
GOES_ON = 2
MADE = [name for name in KINDS if name != "real"]


def beginnings(
    tokenizer: NativeTokenizer, query: str, documents: list[str], max_length: int
) -> list[list[int] | None]:
    """Return the ids of pairs of which only documents' beginnings are given; None: too little."""
    count = len(documents)
    queries, given = [query.encode()] * count, [document.encode() for document in documents]
    ids, offsets = np.empty(count * max_length, np.int32), np.empty(count + 1, np.int64)
    first, truncated = np.empty(count, np.int32), np.empty(count, np.uint8)
    tokenizer._library.encode(
        tokenizer._handle,
        1,
        (_texts(queries), _texts(given), np.ones(count, np.uint8)),
        (ids, offsets, first, truncated),
    )
    said = [ids[offsets[place] : offsets[place + 1]].tolist() for place in range(count)]
    return [
        None if flag == GOES_ON else row for flag, row in zip(truncated.tolist(), said, strict=True)
    ]


class Whole:
    """What the library makes of texts, each of which it encodes once, whole."""

    def __init__(self, path: Path) -> None:
        """Read the file."""
        self._tokenizer = HuggingFaceTokenizer(path, max_length=1 << 20)
        self._known: dict[str, Any] = {}

    def rows(self, pairs: list[tuple[str, str]], max_length: int) -> list[Row]:
        """Return the pairs, cut to ``max_length``."""
        new = [one for one in {one for pair in pairs for one in pair} if one not in self._known]
        self._known.update(zip(new, self._tokenizer._encode_texts(new), strict=True))
        ids = [(self._known[query], self._known[document]) for query, document in pairs]
        template = self._tokenizer._template
        return rows_of(template.join(ids, max_length - template.specials))


def agree_on_beginnings(path: Path, rng: random.Random, texts: int) -> int:
    """Hold what is said of beginnings against the whole; return how often something is said."""
    said, whole = 0, Whole(path)
    for max_length in LENGTHS:
        native = NativeTokenizer(path, max_length=max_length)
        for _ in range(texts):
            query, document = text(rng, 60), text(rng, 400) + text(rng, 400)
            places = [rng.randrange(len(document) + 1) for _ in range(12)]
            given = [document[:place] for place in places]
            (full,) = whole.rows([(query, document)], max_length)
            for begun, row in zip(given, beginnings(native, query, given, max_length), strict=True):
                said += row is not None
                assert row is None or (tuple(row) == full.ids and full.truncated), (
                    query, begun, document,
                )  # fmt: skip
    return said


@pytest.mark.parametrize("kind", MADE)
def test_a_beginning_says_what_the_whole_says(kind: str, library: Library, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path / "tokenizer.json")
    assert agree_on_beginnings(path, random.Random(11), 15) > 30


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_a_beginning_of_each_variant(name: str, library: Library, tmp_path: Path) -> None:
    make, changes = VARIANTS[name]
    path = write_content(tmp_path / "tokenizer.json", make(), *changes)
    agree_on_beginnings(path, random.Random(12), 60)


_PARTS = [
    "ab",
    "a",
    "the",
    "wing ",
    " ",
    "  ",
    "\n",
    "é",
    "e\u0301",
    "\u0301",
    "文",
    "가",
    "ᄀ",
    "ᅡ",
]
_PARTS += ["'l", "'ll", "12", "<mask>", "[SEP]", "|||IP", "_ADDRESS|||", "\u200d", "👩", "\u0600"]
_PARTS += ["\u0915", "\u094d", "▁", "x" * 30, "ab" * 40, "-" * 20, "…", "ﬁ", "\u3000", "?"]


@given(st.lists(st.sampled_from(_PARTS), max_size=40), st.integers(0, 300), st.sampled_from(MADE))
@settings(max_examples=150)
def test_any_beginning(
    tmp_path_factory: Any, library: Library, parts: list[str], place: int, kind: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"beginning-{kind}.json"
    path = path if path.exists() else KINDS[kind](path)
    document = "".join(parts)
    (row,) = beginnings(NativeTokenizer(path, max_length=8), "a", [document[:place]], 8)
    (whole,) = Whole(path).rows([("a", document)], 8)
    assert row is None or tuple(row) == whole.ids


REPEATED = ["a", "文", "é", "!", "\u0301", "👩", "ab", "the ", "a\n", "가"]


@pytest.mark.parametrize("kind", MADE)
def test_long_documents_are_cut_at_every_length(
    kind: str, library: Library, tmp_path: Path
) -> None:
    """Long enough that the library reads some, the binding gives some, and of every kind."""
    rng = random.Random(13)
    path = KINDS[kind](tmp_path / "tokenizer.json")
    whole = Whole(path)
    prose = "".join(text(rng, 500) for _ in range(60))[:20_000]
    long = [prose, prose[7:], "the wing " * 2500, *((one * 12_000)[:12_000] for one in REPEATED)]
    queries = ["a", "the wing of a flow " * 3, "a " * 400, prose]
    pairs = [(query, document) for query in queries for document in long]
    pairs += [(document, "a wing") for document in long]
    for max_length in (8, 9, 30, 64):
        native = NativeTokenizer(path, max_length=max_length)
        expected = whole.rows(pairs, max_length)
        for pair, ours, theirs in zip(pairs, rows_of(native.encode(pairs)), expected, strict=True):
            assert ours == theirs, (max_length, pair[0][:40], pair[1][:40])


@pytest.mark.parametrize("kind", MADE)
def test_the_threads_change_nothing(kind: str, library: Library, tmp_path: Path) -> None:
    rng = random.Random(14)
    path = KINDS[kind](tmp_path / "tokenizer.json")
    queries = [text(rng, 300) for _ in range(9)]
    pairs = [(rng.choice(queries), text(rng, 900)) for _ in range(300)]
    one = NativeTokenizer(path, max_length=128).encode(pairs)
    for threads in (2, 5):
        more = NativeTokenizer(path, max_length=128, threads=threads).encode(pairs)
        for name in ("ids", "offsets", "first_segments", "truncated"):
            assert np.array_equal(getattr(one, name), getattr(more, name))


def test_the_first_fault_is_named_on_threads(library: Library, tmp_path: Path) -> None:
    """Also one that is found late, after other texts were encoded; and what lies behind is not."""
    path = write_content(tmp_path / "tokenizer.json", modernbert_content())
    tokenizer = NativeTokenizer(path, max_length=64)
    blank = b" \t" * 60_000  # of which much is read
    late, behind = b"\n" * 30_000 + b"\xff" + blank, b"the wing " * 20_000 + b"\xff" + blank
    given = [b"the wing " * 2000] * 300
    given[100], given[170], given[171], given[200] = behind, late, b"\n" * 9000 + b"\xff", late
    for threads in (1, 4):
        count = len(given)
        results = (np.empty(count * 64, np.int32), np.empty(count + 1, np.int64),
                   np.empty(count, np.int32), np.empty(count, np.uint8))  # fmt: skip
        texts = (_texts([b"x"] * count), _texts(given), np.zeros(count, np.uint8))
        with pytest.raises(InputError, match=r"pair 17[01]: the document is not UTF-8 at byte"):
            tokenizer._library.encode(tokenizer._handle, threads, texts, results)


@pytest.mark.parametrize("threads", [-1, 0, 257])
def test_threads_that_cannot_be(library: Library, tmp_path: Path, threads: int) -> None:
    path = write_content(tmp_path / "tokenizer.json", modernbert_content())
    with pytest.raises(InputError, match=f"threads is {threads}; expected 1 to 256"):
        NativeTokenizer(path, max_length=64, threads=threads).encode([("a", "b")])


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("one", ["the wing of a flow, ", "文", "a"])
def test_a_long_document_costs_no_more_time(
    kind: str, one: str, library: Library, tmp_path: Path
) -> None:
    if one == "a" and kind in ("wordpiece", "cased", "built-in"):
        pytest.skip("a word without end is one token, whatever its size")
    if one == "a" and kind == "xlm-roberta":
        pytest.skip(
            "what the first tokens are depends on how many letters there are: 13 are a piece"
        )
    tokenizer = NativeTokenizer(KINDS[kind](tmp_path / "tokenizer.json"), max_length=128)
    some = one * (100_000 // len(one))
    much = some * 100

    def seconds(document: str) -> float:
        start = time.process_time()
        tokenizer.encode([("the wing", document)] * 10)
        return time.process_time() - start

    short, long = (min(seconds(document) for _ in range(3)) for document in (some, much))
    assert long < 3 * short + 0.02  # a hundred times, when all of it was read


_MEMORY = """
import resource, sys
from pathlib import Path
from edge_rerank.tokenizing.choose import PairTokenizer
tokenizer = PairTokenizer(Path(sys.argv[1]), max_length=512, tokenizer="native")
document = "the wing \u0441 \u6587 " * 8_000_000
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert tokenizer.encode([("the wing", document)]).truncated.all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts kilobytes on Linux")
def test_a_long_document_takes_no_more_memory(library: Library, tmp_path: Path) -> None:
    path = write_content(tmp_path / "tokenizer.json", modernbert_content())
    command = [sys.executable, "-c", _MEMORY, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4_000  # kilobytes, for 100 million characters
