"""What may be passed in as query, documents and pairs, and what is refused by name."""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Document, InputError, Reranker
from edge_rerank.inputs.texts import is_blank

QUERY = "how do plants eat"
TEXTS = ["water flow", "steel", "light", "the wing of a bridge"]


@pytest.fixture(scope="module")
def reranker(artifact_path: Path) -> Iterator[Reranker]:
    with Reranker.load(artifact_path, threads=1) as loaded:
        yield loaded


class PandasTable:
    """As pandas and polars: iterating gives names, or columns."""

    def __init__(self) -> None:
        self.columns = ["text", "id"]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return 2


class ArrowTable:
    """As pyarrow's: not even iterable."""

    @property
    def columns(self) -> list[str]:
        raise AssertionError("not to be touched")


class Series:
    """As pandas': an attribute for each label of a row, and one of them is ``columns``."""

    ndim = 1

    def __init__(self) -> None:
        self.columns = TEXTS[1]

    def __iter__(self) -> Iterator[str]:
        return iter(TEXTS)

    def __len__(self) -> int:
        return len(TEXTS)


@pytest.mark.parametrize("table", [PandasTable(), ArrowTable()])
def test_tables_are_refused_with_a_remedy(reranker: Reranker, table: Any) -> None:
    with pytest.raises(InputError, match=r"documents is a table \(\w+Table\).*pass df\['body'\]"):
        reranker.rank(QUERY, table, text_field="body")
    for use in (reranker.predict, reranker.score):
        with pytest.raises(InputError, match=r"pairs is a table .*zip\(df\['query'\], df\['doc"):
            use(table)


@pytest.mark.parametrize("module", ["pandas", "polars", "pyarrow"])
def test_tables_of_the_libraries_themselves(reranker: Reranker, module: str) -> None:
    library: Any = pytest.importorskip(module)
    data = {"query": [QUERY] * len(TEXTS), "text": TEXTS}
    table = library.table(data) if module == "pyarrow" else library.DataFrame(data)
    with pytest.raises(InputError, match=r"pass df\['text'\]"):
        reranker.rank(QUERY, table)
    if module != "pyarrow":
        assert reranker.rank(QUERY, table["text"]) == reranker.rank(QUERY, TEXTS)
        pairs = zip(table["query"], table["text"], strict=True)
        assert len(reranker.predict(pairs)) == len(TEXTS)


@pytest.mark.parametrize(
    "column", [np.array(TEXTS), np.array(TEXTS, object), Series(), tuple(TEXTS), iter(TEXTS)]
)
def test_columns_of_text_are_documents(reranker: Reranker, column: Any) -> None:
    assert reranker.rank(QUERY, column) == reranker.rank(QUERY, TEXTS)


def test_any_two_strings_in_order_are_a_pair(reranker: Reranker) -> None:
    pairs = [(QUERY, text) for text in TEXTS]
    expected = reranker.predict(pairs).tolist()
    array = np.array(pairs)
    assert array.shape == (4, 2)
    for same in ([list(pair) for pair in pairs], array, array.astype(object), list(array)):
        assert reranker.predict(same).tolist() == expected  # type: ignore[arg-type]


class Language(str, enum.Enum):
    WATER = "water flow"


def test_strings_of_other_types_are_their_text(reranker: Reranker) -> None:
    plain = reranker.rank(QUERY, ["water flow"])
    for text in (Language.WATER, np.str_("water flow")):
        assert reranker.rank(QUERY, [text]) == plain
        documents: list[Document] = [{"text": text}]
        assert reranker.rank(QUERY, documents) == plain
    assert reranker.rank(np.str_(QUERY), ["water flow"]) == plain


@pytest.mark.parametrize("bare", [(QUERY, "water"), [QUERY, "water"], np.array([QUERY, "water"])])
def test_one_bare_pair_is_named(reranker: Reranker, bare: Any) -> None:
    for use in (reranker.predict, reranker.score):
        with pytest.raises(InputError, match="pairs is one pair; wrap it in a list"):
            use(bare)
    with pytest.raises(InputError, match=r"pair 0 is .*: wrap one pair alone in a list"):
        list(reranker.score(iter(bare)))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([{"a", "b"}], "pair 0 is .*expected"),
        ([{"query": "a", "document": "b"}], "pair 0 is .*expected"),
        (["ab"], "pair 0 is 'ab'; expected"),
        ([b"ab"], "pair 0 is b'ab'"),
        (np.zeros((2, 3)), "pair 0 is array"),
        (np.zeros((2, 2)), "pair 0: the query is"),
        (np.array("ab"), "pairs is a ndarray; expected a list"),
        ({("a", "b")}, "pairs is a set, which has no order"),
    ],
)
def test_what_is_no_pair(reranker: Reranker, pairs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reranker.score(pairs)


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ({"a", "b"}, "documents is a set, which has no order; pass a list"),
        (frozenset("ab"), "documents is a frozenset"),
        ({"a": "b"}.keys(), "documents is a dict_keys"),
        (np.array("a"), "documents is a ndarray; expected a list"),
        (np.array([["a", "b"]]), "document 0 is array"),
    ],
)
def test_what_are_no_documents(reranker: Reranker, documents: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reranker.rank(QUERY, documents)


@dataclass
class Page:
    title: str
    body: str


def test_text_of_takes_the_text_of_anything(reranker: Reranker) -> None:
    pages = [Page("", text) for text in TEXTS]
    calls: list[Page] = []

    def body(page: Page) -> str:
        calls.append(page)
        return page.body

    ranked = reranker.rank(QUERY, pages, text_of=body, return_documents=True)
    assert [(hit.index, hit.logit) for hit in ranked] == [
        (hit.index, hit.logit) for hit in reranker.rank(QUERY, TEXTS)
    ]
    assert all(hit.document is pages[hit.index] for hit in ranked)
    assert calls == pages


def test_text_of_is_checked(reranker: Reranker) -> None:
    bad: Callable[[Page], Any] = lambda page: page.title or None  # noqa: E731
    with pytest.raises(InputError, match="document 1: what text_of gives is None") as caught:
        reranker.rank(QUERY, [Page("a", ""), Page("", "")], text_of=bad)
    assert caught.value.index == 1
    with pytest.raises(InputError, match="text_of is 'body'; expected a function"):
        reranker.rank(QUERY, TEXTS, text_of="body")  # type: ignore[call-overload]
    with pytest.raises(InputError, match="text_of and text_field both say"):
        reranker.rank(QUERY, TEXTS, text_of=str, text_field="b")  # type: ignore[call-overload]


def test_a_long_query_is_looked_at_once(
    reranker: Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def check(text: Any, *arguments: Any) -> Any:
        seen.append(text)
        return text

    for place in ("reranker", "inputs.texts", "pairs"):
        monkeypatch.setattr(f"edge_rerank.{place}.check_text", check)
    query = "größe " * 2_000_000
    reranker.rank(query, TEXTS * 10)
    assert seen.count(query) == 1


BLANKS = ["", " ", "\t\n \r\x0b\x0c", "\x00\x1f", "\u00a0\u2003\u3000", "\u200b\ufeff\u2060\u00ad"]
BLANKS += ["\u2028\u2029\u0085", "\u200e\u202e\u2066", "\ufe0f", "\u3164\u115f\uffa0", "\U000e0041"]
SHOWN = ["-", "a", "\u200ba", " .", "中", "😀", "\u0301", "0", "\ufffd", "\u0600"]


def test_what_is_blank() -> None:
    assert all(map(is_blank, BLANKS))
    assert not any(map(is_blank, SHOWN))
    for code in range(0x110000):
        if unicodedata.category(chr(code)) in ("Cc", "Zs", "Zl", "Zp"):
            assert is_blank(chr(code)), hex(code)


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_blank_documents_never_beat_others_with_any_engine(engine: Any) -> None:
    documents: list[Any] = [*BLANKS, *SHOWN, *({"text": blank} for blank in BLANKS)]
    blank = {*range(len(BLANKS)), *range(len(BLANKS) + len(SHOWN), len(documents))}
    with Reranker.load(engine=engine, threads=1) as loaded:
        whole = loaded.rank("list files sorted by size", documents)
        logits = {hit.index: hit.logit for hit in whole}
        others = {*logits} - blank
        assert max(logits[index] for index in blank) > min(logits[index] for index in others), (
            "as it must be"
        )
        last = [hit.index for hit in whole[len(SHOWN) :]]
        assert set(last) == blank
        for some in (whole[: len(SHOWN)], whole[len(SHOWN) :]):
            assert [hit.logit for hit in some] == sorted((hit.logit for hit in some), reverse=True)
        assert loaded.rank("list files sorted by size", iter(documents), top_k=3) == whole[:3]
        pairs = [("list files sorted by size", text) for text in BLANKS]
        found = loaded.predict(pairs, scores="logits").tolist()
    assert found == [logits[place] for place in range(len(BLANKS))]
