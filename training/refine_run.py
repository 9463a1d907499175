"""A checkpoint or an artifact taught further: lists of six kinds, and what teachers say of them."""

import argparse
from functools import cache, partial

import numpy as np

from .batches import LONGEST_QUERY
from .correct import StateLists
from .echoes import EchoPool, echoed_questions, echoed_terms
from .errors import TrainingError
from .refine import LISTS_PER_STEP, RefineLists, RefineRun
from .rephrase import list_cosines
from .rubbish import RUBBISH
from .running import train_run
from .segment_lists import (
    LONGEST_PASSAGE,
    Material,
    Say,
    material,
    teacher_words,
)
from .segment_run import begin, save_checkpoint, start_from, weights_digest
from .senses import sense_lists, trained_synsets, uses_of
from .taught import crossed_lists, list_weights, second_of_mined
from .text_lists import TextLists, made_once
from .token_states import StateMaker, wrapped
from .upper import centred

SECOND_ADDS, THIRD_ADDS = 0.3, 0.8
"""Of the second and third teachers, in deviations within a list; the start's own logits have 1."""
SHARES = {
    "mined": 0.3, "rephrased": 0.1, "defined": 0.2, "senses": 0.1,
    "echoed terms": 0.15, "echoed questions": 0.15,
}  # fmt: skip
"""Of a step's lists."""
LABELS = {
    "mined": 0.3, "rephrased": 0.3, "defined": 0.5, "senses": 0.1,
    "echoed terms": 1.0, "echoed questions": 1.0,
}  # fmt: skip
"""Weights of the known answer's cross-entropy."""


def refine(options: argparse.Namespace, say: Say) -> None:
    """Teach the model of ``--start`` further; what an earlier run finished is taken up."""
    if not options.start:
        raise TrainingError(
            "refine teaches a model further: --start names its checkpoint, or an int8 artifact "
            "such as quantized/mini"
        )
    model, tokenizer, maker = begin(options, LISTS_PER_STEP, True, say)
    # The first teacher mines the lists, so the weights become the start's behind that.
    kinds = refine_kinds(maker, material(maker, options), options)
    start_from(model, tokenizer, options.start)
    say(f"refining {options.start.name} on {sum(len(kind.rows) for kind in kinds)} lists")
    upper = options.upper_layers
    name = f"state-refine-{upper}-{maker.key}-{weights_digest(options.start)}.pt"
    run = RefineRun(
        model=model, kinds=kinds, rubbish=wrapped(maker.encoder, RUBBISH, LONGEST_PASSAGE),
        rate=options.rate, precision=options.precision, seed=options.seed, upper=upper,
        state_file=options.work / name, lists_per_step=options.lists_per_step,
    )  # fmt: skip
    lists = [len(kind.rows) for kind in kinds]
    save = partial(save_checkpoint, model, tokenizer, options, lists, say, "refine")
    train_run(run, options.minutes, options.steps, save, say)


def refine_kinds(
    maker: StateMaker, given: Material, options: argparse.Namespace
) -> list[RefineLists]:
    """Lists of all kinds, in the order of SHARES."""
    added = taught_moves(maker, given, options)
    odds = list_weights(given.mined, given.passages, given.queries)
    also = np.isin(given.mined.owners, given.rephrased.owners)
    senses, terms, questions = misleading_lists(maker, given, options.seed)
    return [
        of_states("mined", given.mined, added, odds),
        of_states("rephrased", given.rephrased, added[also], odds[also]),
        of_states("defined", given.defined),
        of_texts("senses", maker, senses),
        of_texts("echoed terms", maker, terms, held=False),
        of_texts("echoed questions", maker, questions, held=False),
    ]


def misleading_lists(
    maker: StateMaker, given: Material, seed: int
) -> tuple[TextLists, TextLists, TextLists]:
    """Lists of senses, and echoes of terms and of questions; to find the latter takes minutes."""
    synsets = trained_synsets(given.thesaurus, given.left_out, seed)

    @cache
    def pool() -> EchoPool:
        maker.say("looking for echoes")
        uses = [use for synset in synsets.values() for use in uses_of(synset)]
        return EchoPool([*sorted({query.text for query in given.queries}), *uses])

    return (
        sense_lists(synsets, seed),
        made_once(
            maker.work / f"echoed-terms-{maker.key}.json",
            lambda: echoed_terms(given.definitions, given.terms, pool(), seed),
        ),
        made_once(
            maker.work / f"echoed-questions-{maker.key}.json",
            lambda: echoed_questions(given.queries, given.passages, pool(), seed),
        ),
    )


def taught_moves(maker: StateMaker, given: Material, options: argparse.Namespace) -> np.ndarray:
    """What the second and third teachers add to the mined lists' logits, [lists, size]."""
    mined = given.mined
    vectors = second_of_mined(maker, mined, teacher_words()[1], options.threads)
    second = centred(list_cosines(*vectors, mined.owners, mined.rows))
    crossed, numbers = crossed_lists(
        maker, mined, given.passages, given.queries, options.crossed_lists, options.threads
    )
    assert crossed.third is not None
    third = centred(crossed.third)
    added: np.ndarray = SECOND_ADDS * second / second.std()
    added[numbers] += THIRD_ADDS * third / third.std()
    return added


def of_states(
    name: str,
    lists: StateLists,
    added: np.ndarray | None = None,
    odds: np.ndarray | None = None,
) -> RefineLists:
    """Lists of states as lists of texts."""
    return RefineLists(
        lists.passages.ids, lists.queries.ids, lists.rows, lists.owners,
        SHARES[name], LABELS[name], added, odds=odds,
    )  # fmt: skip


def of_texts(name: str, maker: StateMaker, lists: TextLists, held: bool = True) -> RefineLists:
    """Lists of texts, encoded."""
    maker.say(f"{len(lists.rows)} lists of {name}")
    return RefineLists(
        wrapped(maker.encoder, lists.texts, LONGEST_PASSAGE),
        wrapped(maker.encoder, lists.queries, LONGEST_QUERY),
        lists.rows, np.arange(len(lists.rows)), SHARES[name], LABELS[name],
        held=held,
    )  # fmt: skip
