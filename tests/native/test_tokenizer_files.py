"""Which tokenizer.json the native tokenizer takes, and what it says of others."""

from __future__ import annotations

import contextlib
import ctypes
import json
import random
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import EdgeRerankError, InputError, Reranker, TokenizerError
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.errors import ArtifactError
from edge_rerank.native_library import Library, Text, UnavailableError
from edge_rerank.tokenizing.choose import TOKENIZER_VARIABLE, PairTokenizer
from edge_rerank.tokenizing.native import NativeTokenizer
from tests.support.batches import rows_of
from tests.support.made_tokenizers import deberta, deberta_content, unigram

Change = Callable[[dict[str, Any]], Any]
PAIRS = [("the wing", "flow of the café"), ("", "x")]


def changed(**members: Any) -> Change:
    return lambda content: content.update(members)


def model(**members: Any) -> Change:
    return lambda content: content["model"].update(members)


def step(number: int, **members: Any) -> Change:
    return lambda content: content["normalizer"]["normalizers"][number].update(members)


def metaspace(**members: Any) -> Change:
    return lambda content: content["pre_tokenizer"]["pretokenizers"][0].update(members)


def token(number: int, **members: Any) -> Change:
    return lambda content: content["added_tokens"][number].update(members)


def pair_piece(number: int, value: Any) -> Change:
    return lambda content: content["post_processor"]["pair"].__setitem__(number, value)


def word(*entry: Any) -> Change:
    return lambda content: content["model"]["vocab"].append(list(entry))


UNKNOWN: dict[str, tuple[Change, str]] = {
    "another member": (changed(extra=1), '"extra" is not known'),
    "another normalizer": (step(0, type="Nmt"), "the normalizer Nmt is not known; known are Bert"),
    "a normalizer's option": (step(0, more=1), '"more" is not known'),
    "no flag": (step(0, strip_left=1), '"strip_left" is missing, or of another kind'),
    "another replacement": (step(2, pattern={"Regex": "a+"}), "a Replace by a pattern other than"),
    "a replacement of nothing": (step(2, pattern={"String": ""}), "a Replace of nothing"),
    "another model": (model(type="WordLevel"), "the model WordLevel is not known; known are BPE"),
    "merges": (model(merges=["t h"]), '"merges" of a model other than BPE'),
    "a model's option": (model(dropout=0.1), '"dropout" is not known'),
    "no unknown token": (model(unk_id=None), '"unk_id" is missing'),
    "an unknown token too far": (model(unk_id=10_000), "unk_id is outside"),
    "half an id": (model(unk_id=0.5), '"unk_id" is no whole number'),
    "a word twice": (word("ing", -1.0), "an empty word, or one that is there twice"),
    "an empty word": (word("", -1.0), "an empty word, or one that is there twice"),
    "a vocabulary with ids": (model(vocab={"a": 0}), "a Unigram's vocabulary is no list"),
    "another blank": (metaspace(replacement="_"), "a Metaspace whose replacement"),
    "another scheme": (metaspace(prepend_scheme="last"), "a Metaspace whose prepend_scheme"),
    "two schemes": (metaspace(add_prefix_space=False), "contradicts add_prefix_space"),
    "another pre-tokenizer": (metaspace(type="Digits"), "the pre-tokenizer Digits"),
    "a pre-tokenizer of no type": (
        changed(pre_tokenizer={}),
        "the pre-tokenizer without a type is not known; known are BertPreTokenizer",
    ),
    "a token's id": (token(4, id=7), "the added token [MASK] has an unexpected id"),
    "an empty token": (token(4, content=""), "an added token is empty or there twice"),
    "too many tokens": (
        lambda content: content["added_tokens"].extend([{}] * 70_000),
        "longer than any known",
    ),
    "another post-processor": (changed(post_processor=None), "the post-processor without a type"),
    "document first": (pair_piece(1, {"Sequence": {"id": "B", "type_id": 0}}), "not query before"),
    "a third type": (pair_piece(4, {"SpecialToken": {"id": "[SEP]", "type_id": 2}}), "0 before 1"),
    "types that fall": (pair_piece(4, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}), "0 before"),
    "an unnamed token": (pair_piece(4, {"SpecialToken": {"id": "?", "type_id": 1}}), '"?" is miss'),
    "another piece": (pair_piece(4, 5), "a piece of the pair template is not known"),
    "a vast part": (changed(decoder="x" * (5 << 20)), "is larger than any known"),
}
DAMAGED: dict[str, tuple[Change, str]] = {
    "a word without a score": (word("wing"), "expected a word's number"),
    "a score that is none": (word("wing", "1"), "expected a digit"),
    "three members": (word("wing", 1, 2), "expected ]"),
    "a word that is none": (word(5, 1), "expected a word"),
    "not base64": (step(1, precompiled_charsmap="A?=="), "the charsmap is not base64"),
    "an unfinished charsmap": (step(1, precompiled_charsmap="//8="), "is shorter than it says"),
    "a charsmap beyond itself": (step(1, precompiled_charsmap="BAAAAAD//w8="), "points outside"),
    "an empty charsmap": (step(1, precompiled_charsmap="AAAAAA=="), "the charsmap is empty"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokenizer.json"


def write(path: Path, change: Change | None = None) -> Path:
    content = deberta_content()
    if change is not None:
        change(content)
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return path


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_components_are_left_to_the_library(
    name: str, library: Library, path: Path
) -> None:
    change, message = UNKNOWN[name]
    with pytest.raises(UnavailableError) as caught:
        NativeTokenizer(write(path, change), max_length=64)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    _same_as_the_library(path)


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named(name: str, library: Library, path: Path) -> None:
    change, message = DAMAGED[name]
    with pytest.raises(ArtifactError) as caught:
        NativeTokenizer(write(path, change), max_length=64).encode([("x", "x")])
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def _same_as_the_library(path: Path) -> None:
    """Where there is a choice, a file that the native one refuses is as if there were no such."""
    said = []
    for name in ("tokenizers", "auto"):
        try:
            tokenizer = PairTokenizer(path, max_length=64, tokenizer=name)
            assert tokenizer.name == "tokenizers"
            said.append(str(rows_of(tokenizer.encode(PAIRS))))
        except TokenizerError as error:
            said.append(str(error))
    assert said[0] == said[1]


def test_cut_anywhere_and_with_any_byte_changed(library: Library, path: Path) -> None:
    """A file is refused or read, without a fault."""
    whole, rng = write(path).read_bytes(), random.Random(8)
    for size in [*range(40), *(rng.randrange(len(whole)) for _ in range(200))]:
        path.write_bytes(whole[:size])
        with pytest.raises(ArtifactError, match=r"not valid JSON at byte \d+: "):
            NativeTokenizer(path, max_length=64)
    for _ in range(1500):
        place = rng.randrange(len(whole))
        path.write_bytes(whole[:place] + rng.randbytes(1) + whole[place + 1 :])
        with contextlib.suppress(EdgeRerankError):
            NativeTokenizer(path, max_length=64).encode(PAIRS)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("ing", "\xff"),
        lambda text: text.replace('"unk_id": 3', '"unk_id": 3, "vocab": []'),
        lambda text: text.replace('"version"', '"model"'),
        lambda text: text.replace('"decoder"', '"version"'),
        lambda text: text + "x",
        lambda text: text.replace('"version": "1.0"', '"version": ' + "[" * 100_000),
        lambda text: text.replace("-2.5", "-1e999"),
        lambda text: "[]",
        lambda text: "",
    ],
)
def test_files_that_are_no_tokenizer(
    library: Library, path: Path, damage: Callable[[str], str]
) -> None:
    path.write_bytes(
        damage(write(path).read_text("utf-8").replace("é", "e")).encode("latin-1", "replace")
    )
    with pytest.raises(ArtifactError) as caught:
        NativeTokenizer(path, max_length=64)
    assert str(caught.value).startswith(str(path))


def test_which_one_and_why(library: Library, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = PairTokenizer(deberta(path), max_length=64)
    assert (known.name, known.why) == ("native", "it knows this file, and is the fastest")
    asked = PairTokenizer(path, max_length=64, tokenizer="tokenizers")
    assert (asked.name, asked.why) == ("tokenizers", "it was asked for")
    monkeypatch.setenv(TOKENIZER_VARIABLE, "tokenizers")
    assert PairTokenizer(path, max_length=64).why == "EDGE_RERANK_TOKENIZER is set"
    monkeypatch.setenv(TOKENIZER_VARIABLE, "best")
    with pytest.raises(InputError, match="EDGE_RERANK_TOKENIZER is 'best'; expected one of auto"):
        PairTokenizer(path, max_length=64)
    with pytest.raises(InputError, match="tokenizer is 'rust'; expected one of auto, native, tok"):
        PairTokenizer(path, max_length=64, tokenizer="rust")  # type: ignore[arg-type]


def test_kinds_that_only_the_library_knows(library: Library, path: Path) -> None:
    tokenizer = PairTokenizer(unigram(path), max_length=64)
    assert tokenizer.name == "tokenizers"
    assert tokenizer.why.startswith("the native one cannot: ")
    with pytest.raises(TokenizerError, match=r"the native tokenizer cannot: .* is not known"):
        PairTokenizer(path, max_length=64, tokenizer="native")


def test_a_reranker_says_which_and_with_each_engine(library: Library) -> None:
    for engine in ("native", "onnxruntime"):
        with Reranker.load(engine=engine) as reranker:
            details = reranker.describe()
        assert details.tokenizer == "native"
        assert details.tokenizer_why == "it knows this file, and is the fastest"


_COLD = """
import sys
from edge_rerank import Reranker
with Reranker.load() as reranker:
    reranker.rank("how do plants eat", ["water"] * 40)
print("tokenizers" in sys.modules)
"""


def test_the_tokenizers_library_is_not_imported(library: Library) -> None:
    done = subprocess.run([sys.executable, "-c", _COLD], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def texts(*given: bytes | None) -> ctypes.Array[Text]:
    return (Text * len(given))(*(Text(text, len(text or b"")) for text in given))


def test_calls_in_c(library: Library, path: Path) -> None:
    """Texts are checked before anything is written; results that are not wanted are left out."""
    encode = library._functions["tokenizer_encode"]
    tokenizer = library.open_tokenizer(bytes(deberta(path)), 16)
    info = library.describe_tokenizer(tokenizer)
    assert (info.model, info.max_length, info.special_tokens) == (b"unigram", 16, 3)
    ids, offsets = np.full(32, -7, np.int32), np.full(3, -7, np.int64)
    into = (ids.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            offsets.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)), None, None)  # fmt: skip
    for bad, place in [(b"a\xff", 1), (b"\xed\xa0\x80", 0), (b"\xc0\xaf", 0), (b"abc\xe2\x96", 3)]:
        assert encode(tokenizer, texts(b"a", b"a"), texts(b"b", bad), 2, *into) == 1
        said = library._functions["last_error"]().decode()
        assert said == f"pair 1: the document is not UTF-8 at byte {place}"
        assert (ids == -7).all()
        assert (offsets == -7).all()
    assert encode(tokenizer, texts(b"the\0wing", None), texts(b"", b"x"), 2, *into) == 0
    reference = PairTokenizer(path, max_length=16, tokenizer="tokenizers")
    expected = [row.ids for row in rows_of(reference.encode([("the\0wing", ""), ("", "x")]))]
    got = ids.tolist()
    assert [tuple(got[a:b]) for a, b in pairwise(offsets)] == expected
    for missing in range(4):
        arguments = [tokenizer, texts(b"a"), texts(b"b"), 1, *into]
        arguments[(0, 1, 2, 4)[missing]] = None
        assert encode(*arguments) == 1
        assert library._functions["last_error"]().endswith(b" is null")
    assert encode(tokenizer, None, None, 0, *into) == 0
    library.close_tokenizer(tokenizer)


@pytest.mark.parametrize("length", [-1, 0, 4, 1 << 21])
def test_lengths_that_cannot_be(library: Library, path: Path, length: int) -> None:
    with pytest.raises(InputError, match=f"max_length is {length}; "):
        NativeTokenizer(deberta(path), max_length=length)


def test_the_built_in_model_is_known(library: Library) -> None:
    NativeTokenizer(builtin_model() / "tokenizer.json", max_length=512)
