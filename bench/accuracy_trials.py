"""What each step of the int8 recipe costs and gains, in a simulation of the engines' arithmetic.

Run: python -m edge_rerank_bench.accuracy_trials --work DIR --checkpoint DIR [--lists 6]

Products get rounded weights and rounded activations as float32 numbers, which is what exact integer
products give up to float32 rounding. The table in docs/accuracy.md comes from here; the final
figures come from the engines themselves (``accuracy.py``).
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edge_rerank.artifact.architecture import Architecture
from edge_rerank.pairs import TokenizedBatch
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank.verification.comparison import compare_by_query
from edge_rerank_export.calibration import load_calibration
from edge_rerank_export.checkpoint import open_checkpoint
from edge_rerank_export.mixing import LANES, hadamard, mixed
from edge_rerank_export.parameters import (
    Tensors,
    collect_parameters,
    linear_names,
    smooth_name,
)
from edge_rerank_export.quantize import dequantize_parameters, quantize_parameters
from edge_rerank_export.reference import TorchReference
from edge_rerank_export.smoothing import smooth
from edge_rerank_export.statistics import Statistics, collect_statistics
from edge_rerank_export.weights import read_weights

from .accuracy import say
from .accuracy_pairs import ranked_lists

Rounding = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to quantise; the defaults are the plainest int8."""

    weights: str = "nearest"
    """``nearest``, ``gptq``, or ``float`` for none."""
    alpha: float | None = None
    activations: str = "symmetric"
    """``symmetric``, ``asymmetric`` (what the engines do) or ``float``: inputs of all products."""
    float_behind_gelu: bool = False
    float_last: bool = False
    """Whether the first tokens' products of the last layer get float activations."""
    int8_scores: bool = False
    """Whether queries and keys are rounded by token and head, as the native engine does."""


TRIALS = {
    "nearest weights, activations as they are": Trial(activations="float"),
    "GPTQ weights, activations as they are": Trial("gptq", activations="float"),
    "activations alone": Trial("float"),
    "activations alone, alpha 0.6": Trial("float", 0.6),
    "activations alone, alpha 0.6, asymmetric": Trial("float", 0.6, "asymmetric"),
    "nearest weights and activations": Trial(),
    "GPTQ": Trial("gptq"),
    "GPTQ, alpha 0.6": Trial("gptq", 0.6),
    "GPTQ, alpha 0.5, asymmetric": Trial("gptq", 0.5, "asymmetric"),
    "GPTQ, alpha 0.6, asymmetric": Trial("gptq", 0.6, "asymmetric"),
    "GPTQ, alpha 0.7, asymmetric": Trial("gptq", 0.7, "asymmetric"),
    "GPTQ, alpha 0.6, asymmetric, int8 scores: now": Trial(
        "gptq", 0.6, "asymmetric", int8_scores=True
    ),
    "GPTQ, alpha 0.6, asymmetric, behind gelu float": Trial(
        "gptq", 0.6, "asymmetric", float_behind_gelu=True
    ),
    "GPTQ, alpha 0.6, asymmetric, last first-token products float": Trial(
        "gptq", 0.6, "asymmetric", float_last=True
    ),
}


def main() -> None:
    """Parse the arguments, run every trial and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="of edge_rerank_training")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--lists", type=int, default=6, help="of 30 pairs each")
    parser.add_argument("--only", default="", help="trials whose name has this")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    opened = open_checkpoint(args.checkpoint)
    if not opened.config.get("share_att_key"):
        raise SystemExit("trials are of models whose positions share the keys' weights")
    architecture = opened.architecture
    tensors = collect_parameters(
        read_weights(opened.weight_files), opened.layout, opened.max_length
    )
    tokenizer = PairTokenizer(args.checkpoint / "tokenizer.json", max_length=opened.max_length)
    # Another seed than the benchmark's: what is chosen here is measured on other pairs there.
    lists = ranked_lists(args.work, say, lists=args.lists, seed=1)
    pairs = tokenizer.encode([(one.query, text) for one in lists for text in one.passages])
    queries = [one.query for one in lists for _ in one.passages]
    reference = TorchReference(opened)
    exact = reference.logits(pairs).tolist()
    statistics = collect_statistics(
        reference, architecture, tokenizer.encode(load_calibration(None).pairs)
    )
    show_outliers(statistics)
    print(f"{len(pairs)} pairs, sigma {np.std(exact):.3f}\n")
    print("| | rms, sigma | largest, sigma | tau | tau by query | top 10 by query |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, trial in TRIALS.items():
        if args.only in name:
            found = simulated(reference, tensors, architecture, statistics, trial, pairs)
            all_of = compare_by_query(queries, found, exact)
            one = all_of.overall
            print(
                f"| {name} | {one.rms_in_sigma:.4f} | {one.max_in_sigma:.3f} "
                f"| {one.kendall_tau:.4f} | {all_of.tau_by_query:.4f} "
                f"| {all_of.overlap_by_query:.4f} |",
                flush=True,
            )


def show_outliers(statistics: Statistics) -> None:
    """Print how far each product's largest input stands out: peak over root mean square."""
    print("| input | largest over rms |\n| --- | --- |")
    for name, inputs in statistics.items():
        power = inputs.gram.diagonal()
        mean = power.mean() / max(1.0, inputs.count)
        print(f"| {name} | {inputs.peak.max() / mean.sqrt():.1f} |")


def simulated(
    reference: TorchReference,
    tensors: Tensors,
    architecture: Architecture,
    statistics: Statistics,
    trial: Trial,
    pairs: TokenizedBatch,
) -> list[float]:
    """Score pairs with a trial's arithmetic, in transformers' model."""
    statistics = copy.deepcopy(statistics)
    if trial.alpha is not None:
        tensors = smooth(tensors, architecture, statistics, trial.alpha)
    if trial.weights != "float":
        by_gram = statistics if trial.weights == "gptq" else None
        tensors = dequantize_parameters(quantize_parameters(tensors, architecture, by_gram))
    products = _Products(tensors, architecture, trial)
    with ExitStack() as hooks:
        for name in linear_names(architecture.layers):
            module = reference.module(name)
            handle = module.register_forward_hook(partial(products.of_tokens, name))
            hooks.callback(handle.remove)
        return [float(logit) for logit in reference.logits(pairs)]


class _Products:
    """What the products of transformers' model give in a trial, in place of their own."""

    def __init__(self, tensors: Tensors, architecture: Architecture, trial: Trial) -> None:
        """Prepare; ``tensors`` are float32, as rounded as the trial has them."""
        self._tensors = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
        self._heads, self._trial = architecture.heads, trial
        self._last = f"layers.{architecture.layers - 1}."
        self._tokens_were_there: set[str] = set()

    def of_tokens(
        self, name: str, module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor
    ) -> Tensor:
        """Return what a product makes of hidden states.

        Where keys and queries share their weights with the relative-position embeddings, each
        second call is about those: the artifact's table is what it gives.
        """
        table = self._tensors.get(name.replace(".attention.", ".relative.") + ".weight")
        if table is not None and ".attention." in name:
            self._tokens_were_there ^= {name}
            if name not in self._tokens_were_there:
                return table[None]
        values, vector = inputs[0], smooth_name(name)
        if vector is not None and vector in self._tensors:
            values = values * self._tensors[vector]
        points = mixed(self._tensors, name)
        if points > 1:
            parts = values.reshape(*values.shape[:-1], -1, points, LANES)
            values = (torch.from_numpy(hadamard(points)) @ parts).reshape(values.shape)
        spared = self._trial.float_last and name.startswith(self._last)
        if not spared or name.endswith((".key", ".value")):
            values = rounded(values, name, self._trial)
        products = values @ self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]
        if self._trial.int8_scores and name.endswith((".query", ".key")):
            return symmetric(products.view(*products.shape[:-1], self._heads, -1)).flatten(-2)
        return products


def rounded(values: Tensor, name: str, trial: Trial) -> Tensor:
    """Round rows ``[tokens, inputs]`` as the engines do before a product."""
    if trial.float_behind_gelu and name.endswith("ffn.down"):
        return values
    ways: dict[str, Rounding] = {"symmetric": symmetric, "asymmetric": asymmetric}
    return ways[trial.activations](values) if trial.activations in ways else values


def symmetric(values: Tensor) -> Tensor:
    """Round to 127 levels each way, a scale for each row."""
    scale = (values.abs().amax(-1, keepdim=True) / 127).clamp_min(1e-12)
    return torch.round(values / scale) * scale


def asymmetric(values: Tensor) -> Tensor:
    """Round to 253 steps from the least to the largest value of each row; zero stays zero.

    A zero point moves all levels and changes none of them, so it does not show here.
    """
    low = values.amin(-1, keepdim=True).clamp_max(0)
    scale = ((values.amax(-1, keepdim=True).clamp_min(0) - low) / 253).clamp_min(1e-12)
    return torch.round(values / scale) * scale


if __name__ == "__main__":
    main()
