"""How far int8 is from fp32 on held-out pairs: ours, by both engines, beside Optimum's.

Run: python -m edge_rerank_bench.accuracy [--work DIR] [--checkpoint DIR] [--lists 24]

``--work`` is the work folder of a training run, whose held-out text the pairs are made of, see
``accuracy_pairs.py``; without it they are made of Python's own documentation. Without
``--checkpoint`` quantized/mini-deberta is measured; its reference is its own int8 weights taken as
float32, so that only the rounding of activations shows. Optimum's models get the pairs one by one:
in a batch their error depends on the company.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from edge_rerank import Reranker
from edge_rerank.artifact.architecture import Architecture
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.errors import EdgeRerankError
from edge_rerank.pairs import TokenizedBatch
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank.verification.comparison import compare_by_query
from edge_rerank_export import ExportOptions, export_model
from edge_rerank_export.checkpoint import open_checkpoint
from edge_rerank_export.graph import build_model
from edge_rerank_export.parameters import Tensors, collect_parameters
from edge_rerank_export.reference import OnnxReference
from edge_rerank_export.weights import read_weights

from .accuracy_pairs import LISTS, ranked_lists
from .python_text import python_lists
from .widened import small_deberta, small_tensors

Scorer = Callable[[Sequence[tuple[str, str]], TokenizedBatch], list[float]]
OPTIMUM = {
    "Optimum int8, per tensor": {"per_channel": False},
    "Optimum int8, per channel": {"per_channel": True},
}


@dataclass(frozen=True, slots=True)
class Model:
    """What is measured: fp32 parameters, and the artifact made of them."""

    tensors: Tensors
    architecture: Architecture
    artifact: Path


def main() -> None:
    """Parse the arguments, score the pairs every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--work", type=Path, help="of edge_rerank_training; default: Python's text")
    parser.add_argument(
        "--checkpoint", type=Path, help="default: quantized/mini-deberta, of a clone"
    )
    parser.add_argument("--artifact", type=Path, help="its export; made when it is not given")
    parser.add_argument("--lists", type=int, default=LISTS, help="of 30 pairs each")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as scratch:
        model = open_model(args.checkpoint, args.artifact, Path(scratch))
        if args.work:
            lists = ranked_lists(args.work, say, lists=args.lists)
        else:
            lists = python_lists(args.lists)
        pairs = [
            (ranked_list.query, text) for ranked_list in lists for text in ranked_list.passages
        ]
        ways = [engines(model.artifact, args.threads)]
        if args.checkpoint:
            ways.append(optimum(args.checkpoint, Path(scratch)))
        measure(model, pairs, chain(*ways))


def say(text: str) -> None:
    """Print progress to standard error."""
    print(text, file=sys.stderr, flush=True)


def open_model(checkpoint: Path | None, artifact: Path | None, scratch: Path) -> Model:
    """Read the parameters, and export the checkpoint unless that was done before."""
    if checkpoint is None:
        folder = small_deberta()
        tensors: Tensors = {name: tensor.numpy() for name, tensor in small_tensors().items()}
        return Model(tensors, load_artifact(folder).manifest.architecture, folder)
    if artifact is None:
        options = ExportOptions(allow_poor_parity=True)
        artifact = export_model(str(checkpoint), scratch / "artifact", options).path
    opened = open_checkpoint(checkpoint)
    architecture = opened.architecture
    return Model(
        collect_parameters(read_weights(opened.weight_files), opened.layout, opened.max_length),
        architecture,
        artifact,
    )


def float_logits(
    tensors: Tensors, architecture: Architecture, tokens: TokenizedBatch
) -> list[float]:
    """Score in float32 with an artifact's own tensors: the graph of its recipe, without int8."""
    weights = {name: tensor for name, tensor in tensors.items() if not name.endswith(".smooth")}
    longest = len(weights["relative.bucket"]) // 2
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        onnx.save(build_model(weights, architecture, longest), str(path))
        return [float(logit) for logit in OnnxReference(path).logits(tokens)]


def engines(artifact: Path, threads: int) -> Iterator[tuple[str, Scorer]]:
    """Yield the artifact in each engine that can be had here."""
    for engine in ("onnxruntime", "native"):
        try:
            reranker = Reranker.load(artifact, engine=engine, threads=threads)
        except EdgeRerankError as error:
            say(f"{engine} is left out: {error}")
            continue
        yield f"edge-rerank, {engine}", partial(_by_reranker, reranker)


def _by_reranker(
    reranker: Reranker, pairs: Sequence[tuple[str, str]], tokens: TokenizedBatch
) -> list[float]:
    return [float(logit) for logit in reranker.predict(pairs, scores="logits")]


def _by_graph(
    graph: OnnxReference, pairs: Sequence[tuple[str, str]], tokens: TokenizedBatch
) -> list[float]:
    return [float(logit) for logit in graph.logits(tokens)]


def optimum(checkpoint: Path, scratch: Path) -> Iterator[tuple[str, Scorer]]:
    """Export with Optimum and quantise with its AVX-512 VNNI preset, dynamic."""
    from optimum.exporters.onnx import main_export
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    main_export(str(checkpoint), scratch / "fp32", task="text-classification", do_validation=False)
    for index, (name, settings) in enumerate(OPTIMUM.items()):
        preset: Any = AutoQuantizationConfig.avx512_vnni(is_static=False, **settings)
        folder = scratch / f"optimum-{index}"
        quantizer = ORTQuantizer.from_pretrained(scratch / "fp32")
        quantizer.quantize(save_dir=folder, quantization_config=preset)
        graph = OnnxReference(folder / "model_quantized.onnx")
        yield name, partial(_by_graph, graph)


def measure(
    model: Model, pairs: Sequence[tuple[str, str]], scorers: Iterable[tuple[str, Scorer]]
) -> None:
    """Print a row for each scorer, as soon as it has one."""
    longest = load_artifact(model.artifact).manifest.max_length
    tokenizer = PairTokenizer(model.artifact / "tokenizer.json", max_length=longest)
    tokens = tokenizer.encode(pairs)
    exact = float_logits(model.tensors, model.architecture, tokens)
    lengths = tokens.lengths.tolist()
    print(f"{len(pairs)} pairs of {min(lengths)} to {max(lengths)} tokens, {sum(lengths)} in all")
    print(f"fp32 logits: sigma {np.std(exact):.3f}, {min(exact):.2f} to {max(exact):.2f}\n")
    print("| | rms, sigma | largest, sigma | tau | tau by query | top 10 by query |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    queries = [query for query, _ in pairs]
    for name, scorer in scorers:
        found = compare_by_query(queries, scorer(pairs, tokens), exact)
        overall = found.overall
        print(
            f"| {name} | {overall.rms_in_sigma:.4f} | {overall.max_in_sigma:.3f} "
            f"| {overall.kendall_tau:.4f} | {found.tau_by_query:.4f} "
            f"| {found.overlap_by_query:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
