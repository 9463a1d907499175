"""BM25 and stems of our own: what bm25s and Snowball give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_rerank.evaluation.bm25 import Bm25, words_of
from edge_rerank.evaluation.first_stage import bm25_rankings
from edge_rerank.evaluation.stemming import stem

ROOT = Path(__file__).parents[2]


def ranked(documents: Mapping[str, str], query: str, depth: int = 100) -> list[str]:
    index = Bm25([query])
    for text in documents.values():
        index.add(text)
    index.finish()
    names = list(documents)
    return [names[place] for place, _ in index.best(query, depth)]


def test_stems_are_snowballs() -> None:
    stemmer = pytest.importorskip("Stemmer").Stemmer("english")
    texts = [path.read_text("utf-8") for path in sorted(ROOT.glob("docs/**/*.md"))]
    pydoc = pytest.importorskip("pydoc_data.topics").topics
    words = set(re.findall("[a-z]{2,}", " ".join([*texts, *pydoc.values()]).lower()))
    words |= {"skies", "dying", "generously", "communism", "pasted", "happy", "agreed", "hopping"}
    words |= {"apologist", "evenings", "succeeding", "yellow", "sayings", "ties", "cries", "added"}
    assert len(words) > 3000
    assert {word: stem(word) for word in words} == {word: stemmer.stemWord(word) for word in words}


def test_rankings_are_those_of_bm25s() -> None:
    bm25s = pytest.importorskip("bm25s")
    stemmer = pytest.importorskip("Stemmer").Stemmer("english")
    topics = pytest.importorskip("pydoc_data.topics").topics
    documents = {name: text for name, text in topics.items() if len(text) > 200}
    queries = {
        "a": "how are attributes of a class looked up",
        "b": "the value of an assignment expression",
        "c": "numbers compared with numbers and strings",
    }

    def words(texts: Mapping[str, str]) -> Any:
        options = {"stopwords": "en", "stemmer": stemmer, "show_progress": False}
        return bm25s.tokenize(list(texts.values()), **options)

    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(words(documents), show_progress=False)
    rows, scores = index.retrieve(words(queries), k=20, show_progress=False)
    found = bm25_rankings(documents, queries, 20)
    names = list(documents)
    for query, row, values in zip(queries, rows.tolist(), scores.tolist(), strict=True):
        assert found[query] == [names[place] for place in row]
        own = Bm25([queries[query]])
        for text in documents.values():
            own.add(text)
        own.finish()
        assert [score for _, score in own.best(queries[query], 20)] == pytest.approx(values)


def test_ties_keep_the_documents_order_and_strangers_are_left_out() -> None:
    documents = {"a": "plants eat", "b": "steel", "c": "plants eat", "d": "plants eat"}
    assert ranked(documents, "plant") == ["a", "c", "d"]
    assert ranked(documents, "plant", 2) == ["a", "c"]
    assert ranked(documents, "the of") == []
    assert ranked(documents, "zebra") == []
    assert ranked({}, "plant") == []
    assert ranked({"a": "", "b": "plants"}, "plants") == ["b"]


def test_words() -> None:
    assert words_of("The naïve X-ray, of 3D flows") == ["the", "naïve", "ray", "of", "3d", "flows"]
    assert words_of("機械学習と AI") == ["機械", "械学", "学習", "習と", "ai"]
    assert words_of("版本v2中") == ["版本", "v2", "中"]
    found = ranked({"a": "東京は日本の首都です", "b": "大阪は商業の都市です"}, "日本の首都")
    assert found == ["a"]
