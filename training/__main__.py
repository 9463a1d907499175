"""python -m edge_rerank_training: text to checkpoint in one command; `evaluate` measures one.

`segments` trains a segment model, as the built-in one is, and `refine` teaches one further.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import DebertaV2ForSequenceClassification

from edge_rerank.errors import EdgeRerankError
from edge_rerank.files import whole_file

from .attention import use_training_attention
from .batches import PairEncoder
from .collection import beir_collection, held_out_collections
from .errors import TrainingError
from .evaluate import evaluate
from .everyday import everyday_questions
from .faq import faq_collections
from .mining import mine_once
from .paraphrase import paraphrases
from .passages import Passage
from .precision import PRECISIONS, chosen_precision
from .prepare import prepare
from .queries import Query
from .recover import recover_order
from .refine_run import refine
from .scorers import ArtifactScorer, Scorer, checkpoint_scorer
from .segment_run import train_segments
from .taught import CROSSED_LISTS
from .teacher import embed
from .train import Lists, Phase, Progress, train
from .upper import UPPER
from .warm_start import warm_start, write_checkpoint

LONGEST_PAIR = 320
PARAPHRASES = 300
ACTIONS = ("train", "segments", "refine", "evaluate")


def say(text: str) -> None:
    """Progress goes to standard error with the time of day."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m edge_rerank_training", description=__doc__)
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="train")
    parser.add_argument(
        "--output", type=Path, required=True, help="the checkpoint folder to write, or to evaluate"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("training-work"), help="text, vectors and state; kept"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the data, the split, the order and the weights"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=60.0,
        help="longest time of the first phase, and of refine (default 60)",
    )
    parser.add_argument(
        "--steps", type=int, default=20_000, help="most steps of a phase (default 20000)"
    )
    parser.add_argument(
        "--finish-minutes",
        type=float,
        help="longest time of the phase that leans on the teacher (default: a fifth of --minutes)",
    )
    parser.add_argument(
        "--recover-steps", type=int, default=600, help="steps that fit the relative table (600)"
    )
    parser.add_argument(
        "--rate", type=float, default=2e-4, help="highest learning rate (default 2e-4)"
    )
    parser.add_argument(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="where torch computes: cpu, cuda (default: cuda where there is one)",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="of the products in training (default auto: the faster one on this machine)",
    )
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default 2)")
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="segments, refine: the share of the documents that is trained on (default 1)",
    )
    parser.add_argument(
        "--upper-minutes",
        type=float,
        default=0.0,
        help="segments: then train the upper layers as well, for so many minutes, taught by three "
        "models (default 0: not at all)",
    )
    parser.add_argument(
        "--upper-layers",
        type=int,
        default=UPPER,
        help=f"segments, refine: how many layers that is, from the last one down (default {UPPER})",
    )
    parser.add_argument(
        "--lists-per-step",
        type=int,
        help="lists of a step (default 16 for segments and 24 for refine, as suits a CPU; a GPU "
        "wants 64 or more)",
    )
    parser.add_argument(
        "--crossed-lists",
        type=int,
        default=CROSSED_LISTS,
        help="segments, refine: how many lists the third teacher reads (default "
        f"{CROSSED_LISTS}, for which two cores need some twelve minutes)",
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="segments: go on with the upper layers of this checkpoint, or int8 artifact such as "
        "quantized/mini, in place of the first phase; so a model is taught in several sittings. "
        "refine: what is taught further",
    )
    parser.add_argument(
        "--set-aside",
        action="append",
        default=[],
        help="segments, refine: a source that is measured and never trained on; may be given again",
    )
    parser.add_argument(
        "--queries", type=int, default=100, help="evaluate: most held-out queries of a source"
    )
    parser.add_argument(
        "--artifact", type=Path, help="evaluate: this export of the checkpoint, in the runtime"
    )
    parser.add_argument(
        "--beir",
        type=Path,
        action="append",
        default=[],
        help="evaluate: also on this folder, in the BEIR layout; may be given again",
    )
    parser.add_argument(
        "--report",
        type=Path,
        help="evaluate: where the figures go (default OUTPUT/evaluation.json)",
    )
    return parser.parse_args()


def vectors(
    work: Path, seed: int, passages: list[Passage], queries: list[Query], device: str
) -> tuple[np.ndarray, np.ndarray]:
    """The bi-encoder's vectors of all passages and of all queries."""
    asked, texts = [q.text for q in queries], [p.text for p in passages]
    of_queries = embed(asked, say, device, work / f"queries-{seed}.npy")
    return embed(texts, say, device, work / f"passages-{seed}.npy"), of_queries


def recovered(
    options: argparse.Namespace, passages: list[Passage]
) -> tuple[DebertaV2ForSequenceClassification, dict[str, Any]]:
    """The warm start after recover_order, kept in the work folder, and its tokenizer."""
    model, tokenizer = warm_start(options.seed)
    use_training_attention(model)
    model.to(options.device)
    file = options.work / f"recovered-{options.seed}.pt"
    if not file.exists():
        texts = [passage.text for passage in passages if not passage.held_out]
        pieces = Tokenizer.from_str(json.dumps(tokenizer))
        recover_order(
            model, pieces, texts, options.recover_steps, options.precision, options.seed, say
        )
        with whole_file(file) as stream:
            torch.save(model.state_dict(), stream)
    model.load_state_dict(torch.load(file, weights_only=True, map_location=options.device))
    return model, tokenizer


def train_model(options: argparse.Namespace) -> None:
    """Text to checkpoint; every step that an earlier run finished is taken from the work folder."""
    work, seed = options.work, options.seed
    options.precision = chosen_precision(options.precision, options.device)
    passages, queries = prepare(work, seed, say)
    of_passages, of_queries = vectors(work, seed, passages, queries, options.device)
    rows, owners, wanted = mine_once(
        work / f"lists-{seed}.npz", passages, queries, of_passages, of_queries, seed, say
    )
    model, tokenizer = recovered(options, passages)
    encoder = PairEncoder(Tokenizer.from_str(json.dumps(tokenizer)), LONGEST_PAIR)
    data = Lists(
        encoder.texts([p.text for p in passages]),
        encoder.texts([q.text for q in queries]),
        rows,
        owners,
        wanted,
    )

    def run(name: str, phase: Phase) -> Progress:
        def save(progress: Progress) -> None:
            write_checkpoint(model, tokenizer, options.output)
            recipe = {**vars(phase), **vars(progress), "losses": progress.losses[::50]}
            recipe |= {"lists": len(rows), "seed": seed, "threads": options.threads}
            recipe["precision"] = options.precision
            file = options.output / f"training-{name}.json"
            file.write_text(json.dumps(recipe, indent=1) + "\n", "utf-8")
            say(f"saved {options.output.name} at step {progress.step}")

        say(f"{name}: at most {phase.minutes:g} minutes, products in {options.precision}")
        state = work / f"state-{name}-{seed}.pt"
        return train(model, encoder, data, phase, options.precision, seed, state, save, say)

    say(f"training on {len(rows)} lists")
    first = run("ranking", Phase(options.minutes, options.steps, options.rate))
    if first.stopped:
        return
    minutes = options.minutes / 5 if options.finish_minutes is None else options.finish_minutes
    run("finish", Phase(minutes, options.steps, options.rate * 0.4, 0.2, first.step))


def evaluate_model(options: argparse.Namespace) -> None:
    """Measure the checkpoint in the output folder."""
    passages, queries = prepare(options.work, options.seed, say)
    of_passages, of_queries = vectors(options.work, options.seed, passages, queries, options.device)
    collections = held_out_collections(
        passages, queries, of_passages, of_queries, options.queries, options.seed
    )
    others = [paraphrases(options.work, options.seed, PARAPHRASES, say), everyday_questions(say)]
    others += faq_collections(options.work, say)
    others += [beir_collection(folder, say) for folder in options.beir]
    if options.artifact:
        scorer: Scorer = ArtifactScorer(options.artifact, options.threads)
    else:
        scorer = checkpoint_scorer(options.output, options.device)
    report = evaluate(scorer, collections, others, options.seed, say)
    target = options.report or options.output / "evaluation.json"
    target.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    say(f"figures written to {target.name}")


def main() -> int:
    """Exit status 1 and one plain sentence for what the user can mend."""
    options = arguments()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    try:
        actions: dict[str, Callable[[argparse.Namespace], None]] = {
            "train": train_model,
            "segments": partial(train_segments, say=say),
            "refine": partial(refine, say=say),
            "evaluate": evaluate_model,
        }
        actions[options.action](options)
    except (TrainingError, EdgeRerankError) as problem:
        print(f"edge_rerank_training: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
