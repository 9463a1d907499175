"""Lists of senses and of echoes: their texts share words, and only one of them answers."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("bm25s")

from edge_rerank_training.echoes import (
    ECHOES,
    EchoPool,
    drawn_echoes,
    echoed_questions,
    echoed_terms,
    subject,
)
from edge_rerank_training.mining import LIST_SIZE
from edge_rerank_training.passages import HELD_OUT_SHARE, Passage, fraction
from edge_rerank_training.queries import Query
from edge_rerank_training.rephrase import Definitions
from edge_rerank_training.senses import sense_lists, trained_synsets
from edge_rerank_training.text_lists import TextLists, TextListsInMaking, made_once
from edge_rerank_training.wordnet import Synset, Thesaurus, synsets_in

SENSES = """\
00000001 03 n 02 bank 0 shore 0 000 | sloping land beside a body of water; "they pulled the canoe \
up on the bank"; "he sat on the bank of the river"; "wet bank"
00000002 03 n 01 bank 0 000 | an institution that takes deposits; "he cashed a check at the bank"
00000003 03 n 01 bank 1 000 | a supply that is kept for need; "a blood bank is for emergencies"
00000004 03 n 01 bank 2 000 | the funds of a gambling house; "he broke the bank at the casino"
"""


def synsets(fillers: int = 30) -> dict[str, Synset]:
    found = dict(synsets_in("noun", SENSES))
    for i in range(fillers):
        found[f"f{i}"] = Synset(
            (f"word{i}",), f"thing of kind {i} here", (f"he saw a word{i} there",), (), ()
        )
    return found


def pairs(lists: TextLists) -> list[tuple[str, list[str]]]:
    return [
        (query, [lists.texts[i] for i in row])
        for query, row in zip(lists.queries, lists.rows, strict=True)
    ]


def test_sentences_of_use_are_asked_of_their_word_s_senses() -> None:
    found = sense_lists(synsets(), seed=0)
    lists = dict(pairs(found))
    assert found.rows.shape[1] == LIST_SIZE
    river = lists["they pulled the canoe up on the bank"]
    assert river[0] == "sloping land beside a body of water"
    assert {
        "an institution that takes deposits", "a supply that is kept for need",
        "the funds of a gambling house",
    } <= set(river[1:])  # fmt: skip
    assert all(len(set(texts)) == LIST_SIZE and q not in texts for q, texts in lists.items())
    assert "wet bank" not in {*found.queries, *found.texts}, "two words show no sense"
    money = lists["an institution that takes deposits"]
    assert money[0] == "he cashed a check at the bank"
    assert "he broke the bank at the casino" in money[1:]
    assert not any("kind" in query or "word" in query for query in found.queries), "of one sense"
    again = sense_lists(synsets(), seed=0)
    assert again.queries == found.queries
    np.testing.assert_array_equal(again.rows, found.rows)


def test_what_is_held_out_or_measured_with_has_no_lists() -> None:
    every = synsets(400)
    thesaurus = Thesaurus(every, {})
    kept = trained_synsets(thesaurus, {"shore"}, seed=3)
    assert "n00000001" not in kept
    held_out = {
        n for n, s in every.items() if fraction(3, "wordnet", s.words[0], "split") < HELD_OUT_SHARE
    }
    assert held_out
    assert not held_out & kept.keys()


def test_the_subject_is_without_what_only_asks() -> None:
    assert subject("What does the Bread mean, and how do I use it?") == {"bread"}


def test_echoes_are_filled_up_from_the_pool() -> None:
    pool = EchoPool([f"text {i}" for i in range(20)])

    def empty(text: str) -> bool:
        return text == ""

    found = drawn_echoes(["one", "two", ""], pool, empty, Random(0))
    assert len(set(found)) == ECHOES
    assert {"one", "two"} <= set(found)
    assert drawn_echoes(["one", ""], pool, empty, Random(0)) == []
    many = [f"suits {i}" for i in range(30)]
    assert set(drawn_echoes(many, pool, empty, Random(0))) <= set(many[:12])


FILLERS = [f"how to sort number{i} by weight{i}" for i in range(30)]


def test_terms_are_echoed_by_texts_that_use_them() -> None:
    found = Definitions(
        ["baked dough", "the bread that is eaten at noon", "a river's edge"],
        ["what is bread", "bank meaning", "baked dough"],
        [(0,), (2,), (1,)],
    )
    uses = ["he ate the bread in haste", "bread is a song", "we sat on the bank"]
    lists = echoed_terms(found, 2, EchoPool([*uses, "what is bread", *FILLERS]), seed=0)
    assert lists.queries == ["what is bread"], "the bank has one echo, and dough is no term"
    ((_, texts),) = pairs(lists)
    assert texts[0] == "baked dough"
    assert set(uses[:2]) <= set(texts[1:])
    assert "what is bread" not in texts, "a question is no echo of itself"


def test_lists_are_found_once(tmp_path: Path) -> None:
    made, calls = TextListsInMaking(), []
    made.add("é", ["a", "b"])
    made.add("q", ["b", "c"])

    def find() -> TextLists:
        calls.append(1)
        return made.made()

    for _ in range(2):
        lists = made_once(tmp_path / "lists.json", find)
        assert pairs(lists) == [("é", ["a", "b"]), ("q", ["b", "c"])]
        assert len(lists.texts) == 3
    assert calls == [1]


def test_questions_are_echoed_by_others_that_share_half_of_their_words() -> None:
    passages = [Passage("s", "d", i, "", "", f"answer {i}", "", False) for i in range(5)]
    asked = [
        ("list files sorted by size", 0, (0,)),
        ("show files sorted by age", 1, (1,)),
        ("print files sorted backwards", 2, (2,)),
        ("files sorted by their size", 3, (3, 0)),  # the first one's passage answers it, too
        ("remove a folder", 4, (4,)),
    ]
    queries = [Query("s", "heading", text, at, also, False) for text, at, also in asked]
    pool = EchoPool([*(q.text for q in queries), *FILLERS])
    lists = echoed_questions(queries, passages, pool, seed=0)
    texts = dict(pairs(lists))["list files sorted by size"]
    assert texts[0] == "answer 0"
    assert {"show files sorted by age", "print files sorted backwards"} <= set(texts[1:])
    assert "files sorted by their size" not in texts
    assert "remove a folder" not in lists.queries
    assert all(query not in texts for query, texts in pairs(lists))


@pytest.mark.parametrize("question", ["", "what is it", "the of and"])
def test_questions_without_a_subject_find_nothing(question: str) -> None:
    assert EchoPool(FILLERS).near([question]) == [[]]
