"""Words that mislead: synonyms, definitions asked for, and plain questions."""

from random import Random

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from edge_rerank_training import everyday
from edge_rerank_training.mining import LIST_SIZE, Bm25
from edge_rerank_training.passages import Passage
from edge_rerank_training.queries import Query
from edge_rerank_training.rephrase import (
    Definitions,
    asked_definitions,
    definition_lists,
    rephrased,
)
from edge_rerank_training.segment_lists import trained_on
from edge_rerank_training.wordnet import Thesaurus, thesaurus_of

NOUNS = """\
  1 a licence, indented
00000001 03 n 02 bread 0 loaf 1 001 @ 00000002 n 0000 | food of dough, flour and water; "eat it"
00000002 03 n 01 food 0 000 | any substance that can be eaten by a living thing
00000003 03 n 01 bread 1 000 | money that is owned or earned by someone
"""
NOUN_INDEX = """\
  1 a licence, indented
bread n 2 1 @ 2 1 00000001 00000003
loaf n 1 1 @ 1 0 00000001
food n 1 0 1 1 00000002
"""
VERBS = """\
00000009 30 v 02 bake 0 cook_slowly 1 000 01 + 08 00 | to heat until it is done in an oven
"""
VERB_INDEX = "bake v 1 0 1 1 00000009\ncook_slowly v 1 0 1 0 00000009\n"


def small_thesaurus() -> Thesaurus:
    return thesaurus_of({
        "data.noun": NOUNS, "index.noun": NOUN_INDEX, "data.verb": VERBS,
        "index.verb": VERB_INDEX, "data.adj": "", "index.adj": "",
    })  # fmt: skip


def test_a_word_has_the_synonyms_of_its_first_sense() -> None:
    thesaurus = small_thesaurus()
    assert thesaurus.synonyms("bread") == ["loaf"]
    assert thesaurus.synonyms("baking") == thesaurus.synonyms("bakes") == ["cook slowly"]
    assert thesaurus.synonyms("dough") == []


def test_names_code_and_common_words_are_not_replaced() -> None:
    made = {
        rephrased("how to use Bread.bake of bread", small_thesaurus(), Random(i)) for i in range(9)
    }
    assert made == {"how to use Bread.bake of bread", "how to use Bread.bake of loaf"}


def test_terms_are_asked_of_definitions_that_do_not_name_them() -> None:
    found = asked_definitions(small_thesaurus(), set(), 2, most=9, terms=9, meanings=9)
    asked = dict(zip(found.queries, found.answers, strict=True))
    answers = {found.texts[at] for query, (at, *_) in asked.items() if "food" in query.split()}
    assert answers == {"any substance that can be eaten by a living thing"}
    (meaning,) = [query for query in asked if query.startswith("food of dough")]
    assert meaning == "food of dough, flour and water", "without its example"
    assert found.texts[asked[meaning][0]] == "any substance that can be eaten by a living thing"
    without = asked_definitions(small_thesaurus(), {"food"}, 2, most=9, terms=9, meanings=9)
    assert len(without.texts) == len(found.texts) - 1


def test_hard_definitions_share_words_and_are_no_answers() -> None:
    texts = [f"a thing of kind {i} with bread" for i in range(30)]
    found = Definitions(texts, ["what is bread", texts[4]], [(0,), (1, 2)])
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(32, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, owners, wanted = definition_lists(found, vectors[:30], vectors[30:], seed=0)
    assert rows.shape == wanted.shape == (2, LIST_SIZE)
    assert owners.tolist() == [0, 1]
    assert rows[0, 0] == 0
    assert rows[1, 0] in {1, 2}
    for row, answers in zip(rows, found.answers, strict=True):
        assert len(set(row)) == LIST_SIZE
        assert not set(row[1:]) & set(answers)
    assert 4 not in rows[1, :7], "a definition is no answer to itself"


def test_what_is_trained_on_leaves_out_held_out_text_and_sources_set_aside() -> None:
    def passage(source: str, held_out: bool) -> Passage:
        return Passage(source, "d", 0, "", "", "text", "", held_out)

    passages = [passage("kept", True), passage("aside", False), passage("kept", False)]
    queries = [Query(p.source, "heading", "q", i, (i,), p.held_out) for i, p in enumerate(passages)]
    kept, asked = trained_on(passages, queries, ["aside"], 1.0, 0)
    assert kept == [passages[2]]
    assert [(q.passage, q.relevant) for q in asked] == [(0, (0,))]


def test_everyday_questions_have_misleading_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_vectors(texts: list[str], _: object) -> np.ndarray:
        return np.zeros((len(texts), 1), np.float32)

    monkeypatch.setattr(everyday, "embed", no_vectors)
    made = everyday.everyday_questions(lambda _: None)
    assert made.candidates.shape == (len(made.queries), everyday.LIST_SIZE)
    lexicon = Bm25(made.passages)
    for query, row, grades in zip(made.queries, made.candidates, made.grades, strict=True):
        (answer,) = grades
        scores, at = lexicon.scores(query)[row], row.tolist().index(answer)
        assert (np.diff(scores) <= 0).all(), "in BM25's order"
        assert (scores[at + 1 :] < scores[at]).all(), "equal scores must not favour the answer"
        assert {answer + 1, answer + 2} < set(row)
        assert len(set(row)) == everyday.LIST_SIZE
