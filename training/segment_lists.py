"""What segment models are trained on: text, its states by the teacher, lists of three kinds."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from transformers import BertModel

from .batches import LONGEST_QUERY, PairEncoder
from .correct import StateLists
from .mining import mine_once
from .paraphrase import WORDNET
from .parse import read_text
from .passages import Passage, fraction
from .prepare import prepare
from .queries import Query
from .rephrase import (
    LEAST_LIKENESS,
    Definitions,
    asked_definitions,
    definition_lists,
    list_cosines,
    rephrased_queries,
    words_measured_with,
)
from .segments import SegmentReranker
from .sources import files_of
from .teacher import teacher_folder
from .token_states import StateMaker
from .vocabulary import kept_ids, pruned_tokenizer, vocabulary_of
from .wordnet import Thesaurus, read_thesaurus

LONGEST_PASSAGE = 160
"""Tokens of a passage in training; most passages have fewer."""
SHARES = (0.45, 0.25, 0.3)
"""Of the steps: mined lists, the same with the query in other words, definitions."""
DEFINITIONS, TERMS, MEANINGS = 26_000, 9_000, 5_000

Say = Callable[[str], None]


def teacher_words() -> tuple[dict[str, Any], list[int]]:
    """The content of the teacher's tokenizer.json, and the numbers of the words that stay."""
    original = json.loads((teacher_folder() / "tokenizer.json").read_text("utf-8"))
    return original, kept_ids(vocabulary_of(original))


def segment_model(seed: int) -> tuple[SegmentReranker, dict[str, Any]]:
    """The teacher as a segment model, and the content of its tokenizer.json."""
    original, kept = teacher_words()
    teacher = BertModel.from_pretrained(teacher_folder(), add_pooling_layer=False)
    model = SegmentReranker.begin(teacher, kept, seed)
    return model, pruned_tokenizer(original, kept, apart=True)


def trained_on(
    passages: Sequence[Passage],
    queries: Sequence[Query],
    set_aside: Sequence[str],
    share: float,
    seed: int,
) -> tuple[list[Passage], list[Query]]:
    """A share of the documents that are neither held out nor of a source that is set aside."""
    kept = [
        index
        for index, passage in enumerate(passages)
        if not passage.held_out
        and passage.source not in set_aside
        and fraction(seed, "share", passage.source, passage.document) < share
    ]
    place = {old: new for new, old in enumerate(kept)}
    asked = [
        replace(
            query,
            passage=place[query.passage],
            relevant=tuple(place[i] for i in query.relevant if i in place),
        )
        for query in queries
        if query.passage in place
    ]
    return [passages[index] for index in kept], asked


def mined_lists(
    maker: StateMaker, passages: list[Passage], queries: list[Query], seed: int
) -> StateLists:
    """Lists of mining.py over the passages of a source.

    Their teacher is the cosine alone. With BM25 in it, the model learned that shared words make an
    answer, and lost to the bi-encoder where words mislead.
    """
    of_passages = maker.of("passages", [p.text for p in passages], LONGEST_PASSAGE)
    of_queries = maker.of("queries", [q.text for q in queries], LONGEST_QUERY)
    file = maker.work / f"lists-{maker.key}.npz"
    rows, owners, _ = mine_once(
        file, passages, queries, of_passages.means, of_queries.means, seed, maker.say
    )
    wanted = list_cosines(of_queries.means, of_passages.means, owners, rows)
    return StateLists(of_passages, of_queries, rows, owners, wanted, SHARES[0])


def rephrased_lists(
    maker: StateMaker, mined: StateLists, queries: list[Query], thesaurus: Thesaurus, seed: int
) -> StateLists:
    """The same lists, and the same teacher, for queries in other words of the same sense."""
    texts = rephrased_queries([q.text for q in queries], thesaurus, seed, maker.say)
    changed = np.array([new != q.text for new, q in zip(texts, queries, strict=True)])
    states = maker.of("rephrased", texts, LONGEST_QUERY)
    alike = np.einsum("nd,nd->n", states.means, mined.queries.means) > LEAST_LIKENESS
    kept = (changed & alike)[mined.owners]
    maker.say(f"{kept.sum()} lists with their query in other words")
    return replace(mined.some(kept), queries=states, share=SHARES[1])


def lists_of_definitions(maker: StateMaker, found: Definitions, seed: int) -> StateLists:
    """Terms and meanings among WordNet's definitions."""
    of_texts = maker.of("definitions", found.texts, LONGEST_PASSAGE)
    of_queries = maker.of("asked", found.queries, LONGEST_QUERY)
    rows, owners, wanted = definition_lists(found, of_texts.means, of_queries.means, seed)
    return StateLists(of_texts, of_queries, rows, owners, wanted, SHARES[2])


@dataclass(frozen=True)
class Material:
    """Text that may be trained on, and lists of it.

    terms: how many of the definitions' queries, the first ones, ask for a term. left_out: words
    whose definitions are only measured with.
    """

    passages: list[Passage]
    queries: list[Query]
    thesaurus: Thesaurus
    left_out: set[str]
    definitions: Definitions
    terms: int
    mined: StateLists
    rephrased: StateLists
    defined: StateLists

    @property
    def kinds(self) -> list[StateLists]:
        """All lists."""
        return [self.mined, self.rephrased, self.defined]


def state_maker(
    model: SegmentReranker, tokenizer: dict[str, Any], options: argparse.Namespace, say: Say
) -> StateMaker:
    """Of the states of what the options have trained on, kept in the work folder."""
    encoder = PairEncoder(Tokenizer.from_str(json.dumps(tokenizer)), LONGEST_PASSAGE)
    # What is kept was made of these documents, and is no other training's.
    key = "-".join([f"{options.seed}-{options.share:g}", *sorted(options.set_aside)])
    return StateMaker(model, encoder, options.work, options.precision, key, say)


def material(maker: StateMaker, options: argparse.Namespace) -> Material:
    """Text and lists; what an earlier run made is taken from the work folder."""
    work, seed, share = options.work, options.seed, options.share
    passages, queries = trained_on(*prepare(work, seed, maker.say), options.set_aside, share, seed)
    thesaurus = read_thesaurus(work)
    left_out = words_measured_with(work, read_text(files_of(WORDNET, work)[0]))
    counts = [round(count * share) for count in (DEFINITIONS, TERMS, MEANINGS)]
    found = asked_definitions(thesaurus, left_out, seed, *counts)
    mined = mined_lists(maker, passages, queries, seed)
    rephrased = rephrased_lists(maker, mined, queries, thesaurus, seed)
    return Material(
        passages, queries, thesaurus, left_out, found, counts[1], mined, rephrased,
        lists_of_definitions(maker, found, seed),
    )  # fmt: skip
