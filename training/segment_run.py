"""The segment model from text to checkpoint: the correction, then the upper layers as well."""

import argparse
import hashlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .correct import LISTS_PER_STEP, CorrectionRun
from .errors import TrainingError
from .from_artifact import is_artifact, reranker_of_artifact
from .precision import chosen_precision
from .rubbish import RUBBISH
from .running import SegmentProgress, train_run
from .second_teacher import second_teacher_folder
from .segment_lists import (
    LONGEST_PASSAGE,
    Say,
    material,
    segment_model,
    state_maker,
    teacher_words,
)
from .segments import SegmentReranker
from .taught import below_prefix, crossed_lists, taught_lists
from .token_states import StateMaker
from .upper import UpperRun, lower_part, upper_layers


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


def save_checkpoint(
    model: SegmentReranker,
    tokenizer: dict[str, Any],
    options: argparse.Namespace,
    lists: list[int],
    say: Say,
    phase: str,
    progress: SegmentProgress,
) -> None:
    """Write the checkpoint as it is, and how it came about; ``lists``: how many of each kind."""
    model.save(tokenizer, options.output)
    recipe = {**vars(progress), "losses": progress.losses[::50], "lists": lists}
    names = ("seed", "precision", "set_aside", "share", "lists_per_step", "upper_layers")
    recipe |= {name: getattr(options, name) for name in names}
    recipe["started"] = bool(options.start)
    file = options.output / f"training-{phase}.json"
    file.write_text(json.dumps(recipe, indent=1) + "\n", "utf-8")
    say(f"saved {options.output.name} at step {progress.step}")


def begin(
    options: argparse.Namespace, lists_per_step: int, taught: bool, say: Say
) -> tuple[SegmentReranker, dict[str, Any], StateMaker]:
    """The teacher as a model, its tokenizer.json and what makes its states; options are filled in.

    taught: whether the other teachers will be asked. Raises TrainingError for what would fail
    later: it is better known now than in an hour.
    """
    if options.start:
        started_from(options.start)
    if taught:
        second_teacher_folder()
    options.precision = chosen_precision(options.precision, options.device)
    options.lists_per_step = options.lists_per_step or lists_per_step
    model, tokenizer = segment_model(options.seed)
    upper_layers(model, options.upper_layers)
    model.to(options.device)
    return model, tokenizer, state_maker(model, tokenizer, options, say)


def train_segments(options: argparse.Namespace, say: Say) -> None:
    """Text to checkpoint; what an earlier run finished is taken from the work folder."""
    work, seed = options.work, options.seed
    if options.start and not options.upper_minutes:
        raise TrainingError(
            "--start goes on with the second phase, so --upper-minutes says how long: the first "
            "phase begins from the teacher alone"
        )
    model, tokenizer, maker = begin(options, LISTS_PER_STEP, bool(options.upper_minutes), say)
    given = material(maker, options)
    rubbish = maker.of("rubbish", RUBBISH, LONGEST_PASSAGE)
    lists = [len(kind.rows) for kind in given.kinds]
    save = partial(save_checkpoint, model, tokenizer, options, lists, say)
    say(f"training on {sum(lists)} lists")
    of_runs = {"model": model, "rate": options.rate, "precision": options.precision, "seed": seed}
    of_runs["lists_per_step"] = options.lists_per_step
    run = CorrectionRun(
        **of_runs, kinds=given.kinds, rubbish=rubbish,
        state_file=work / f"state-segments-{maker.key}.pt",
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
        done = train_run(run, options.minutes, options.steps, partial(save, "correction"), say)
        if done.stopped or not options.upper_minutes:
            return
    mined, _ = crossed_lists(
        maker, given.mined, given.passages, given.queries, options.crossed_lists, options.threads
    )
    also = mined.some(np.isin(mined.owners, given.rephrased.owners))
    rephrased = replace(also, queries=given.rephrased.queries, share=given.rephrased.share)
    lower = replace(maker, model=lower_part(model, upper))
    taught = taught_lists(
        lower, [mined, rephrased, given.defined], teacher_words()[1], options.threads
    )
    say(f"training the upper {upper} layers too, with three teachers")
    below = lower.again(f"{below_prefix(lower)}-rubbish", rubbish.ids).on(lower.device)
    run = UpperRun(**of_runs, kinds=taught, rubbish=below, state_file=upper_state, upper=upper)
    train_run(run, options.upper_minutes, options.steps, partial(save, "upper"), say)
