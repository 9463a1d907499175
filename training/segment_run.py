"""The segment model from text to checkpoint: states, lists of three kinds, and the correction."""

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from transformers import BertModel

from .batches import LONGEST_QUERY, PairEncoder
from .correct import CorrectionProgress, CorrectionRun, StateLists, train_correction
from .errors import TrainingError
from .from_artifact import is_artifact, reranker_of_artifact
from .mining import mine_once
from .paraphrase import WORDNET
from .parse import read_text
from .passages import Passage, fraction
from .precision import chosen_precision
from .prepare import prepare
from .queries import Query
from .rephrase import (
    LEAST_LIKENESS,
    asked_definitions,
    definition_lists,
    list_cosines,
    rephrased_queries,
    words_measured_with,
)
from .rubbish import RUBBISH
from .second_teacher import second_teacher_folder
from .segments import SegmentReranker
from .sources import files_of
from .taught import crossed_lists, taught_lists
from .teacher import teacher_folder
from .token_states import StateMaker
from .upper import UpperRun, lower_part, upper_layers
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


def lists_of_definitions(
    maker: StateMaker, thesaurus: Thesaurus, share: float, seed: int
) -> StateLists:
    """Terms and meanings among WordNet's definitions."""
    left_out = words_measured_with(maker.work, read_text(files_of(WORDNET, maker.work)[0]))
    counts = [round(count * share) for count in (DEFINITIONS, TERMS, MEANINGS)]
    found = asked_definitions(thesaurus, left_out, seed, *counts)
    of_texts = maker.of("definitions", found.texts, LONGEST_PASSAGE)
    of_queries = maker.of("asked", found.queries, LONGEST_QUERY)
    rows, owners, wanted = definition_lists(found, of_texts.means, of_queries.means, seed)
    return StateLists(of_texts, of_queries, rows, owners, wanted, SHARES[2])


def started_from(folder: Path) -> SegmentReranker:
    """The model of a checkpoint, or of an int8 artifact."""
    return reranker_of_artifact(folder) if is_artifact(folder) else SegmentReranker.load(folder)


def start_from(model: SegmentReranker, tokenizer: dict[str, Any], folder: Path) -> None:
    """Take the weights over of a checkpoint or an artifact that was made of the same words."""
    started = started_from(folder)
    if json.loads((folder / "tokenizer.json").read_text("utf-8")) != tokenizer:
        raise TrainingError(
            f"{folder}: its tokenizer.json is not that of this training: --start takes a "
            "checkpoint that `segments` wrote, or an artifact made of one"
        )
    model.load_state_dict(started.state_dict())


def weights_digest(folder: Path) -> str:
    """What tells a checkpoint's weights from others'."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:12]


def train_segments(options: argparse.Namespace, say: Say) -> None:
    """Text to checkpoint; what an earlier run finished is taken from the work folder."""
    work, seed = options.work, options.seed
    if options.start and not options.upper_minutes:
        raise TrainingError(
            "--start goes on with the second phase, so --upper-minutes says how long: the first "
            "phase begins from the teacher alone"
        )
    if options.start:
        started_from(options.start)  # as below: what is no checkpoint is said at once
    if options.upper_minutes:
        second_teacher_folder()  # that it is missing is better known now than in an hour
    precision = chosen_precision(options.precision, options.device)
    model, tokenizer = segment_model(seed)
    upper_layers(model, options.upper_layers)  # as above: a number that cannot be is said at once
    model.to(options.device)
    encoder = PairEncoder(Tokenizer.from_str(json.dumps(tokenizer)), LONGEST_PASSAGE)
    passages, queries = trained_on(
        *prepare(work, seed, say), options.set_aside, options.share, seed
    )
    # What is kept was made of these documents, and is no other training's.
    key = "-".join([f"{seed}-{options.share:g}", *sorted(options.set_aside)])
    maker = StateMaker(model, encoder, work, precision, key, say)
    thesaurus = read_thesaurus(work)
    mined = mined_lists(maker, passages, queries, seed)
    kinds = [
        mined,
        rephrased_lists(maker, mined, queries, thesaurus, seed),
        lists_of_definitions(maker, thesaurus, options.share, seed),
    ]
    rubbish = maker.of("rubbish", RUBBISH, LONGEST_PASSAGE)

    def save(phase: str, progress: CorrectionProgress) -> None:
        model.save(tokenizer, options.output)
        recipe = {**vars(progress), "losses": progress.losses[::50], "seed": seed}
        recipe |= {"lists": [len(kind.rows) for kind in kinds], "precision": precision}
        recipe |= {"set_aside": options.set_aside, "share": options.share}
        recipe |= {"started": bool(options.start), "lists_per_step": options.lists_per_step}
        recipe |= {"upper_layers": options.upper_layers}
        file = options.output / f"training-{phase}.json"
        file.write_text(json.dumps(recipe, indent=1) + "\n", "utf-8")
        say(f"saved {options.output.name} at step {progress.step}")

    say(f"training on {sum(len(kind.rows) for kind in kinds)} lists")
    run = CorrectionRun(
        model, kinds, rubbish, options.rate, precision, seed,
        work / f"state-segments-{maker.key}.pt", options.lists_per_step,
    )  # fmt: skip
    # A sitting of its own for each checkpoint to start from: another's state is not taken up.
    start = f"-{weights_digest(options.start)}" if options.start else ""
    upper = options.upper_layers
    upper_state = work / f"state-upper-{upper}-{maker.key}{start}.pt"
    # The lists and the first teacher's vectors are made by now, so the weights may be others.
    if options.start:
        start_from(model, tokenizer, options.start)
    # A run that is taken up in the second phase leaves the checkpoint of that phase where it is.
    elif not (options.upper_minutes and upper_state.exists()):
        done = train_correction(
            run, options.minutes, options.steps, partial(save, "correction"), say
        )
        if done.stopped or not options.upper_minutes:
            return
    mined = crossed_lists(maker, mined, passages, queries, options.threads)
    rephrased = kinds[1]
    also = mined.some(np.isin(mined.owners, rephrased.owners))
    kinds[:2] = mined, replace(also, queries=rephrased.queries, share=rephrased.share)
    lower = replace(maker, model=lower_part(model, upper))
    taught = taught_lists(lower, kinds, teacher_words()[1], upper, options.threads)
    say(f"training the upper {upper} layers too, with three teachers")
    run = UpperRun(
        model, taught, lower.again(f"below-{upper}-rubbish", rubbish.ids).on(lower.device),
        options.rate, precision, seed, upper_state, options.lists_per_step, upper,
    )  # fmt: skip
    train_correction(run, options.upper_minutes, options.steps, partial(save, "upper"), say)
