"""Throughput beside Optimum's dynamic int8, on the same pairs, in the same run.

Run: python -m edge_rerank_bench.optimum_int8 [--checkpoint DIR] [--threads 2] [--rounds 5]

Optimum exports the checkpoint and quantises it with its AVX-512 VNNI preset (dynamic, per tensor).
It is given the pairs in arrival order, 32 a batch, as a straightforward program would, and sorted
by length, 16 a batch; edge-rerank is given all of them in arrival order and plans by itself. All
three take turns, so that a noisy machine hurts all alike; ratios are taken round by round. The
errors of both against fp32 are printed too; they mean something for a trained checkpoint only.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_rerank.artifact import Artifact, load_artifact, load_probes
from edge_rerank.batching import padding_overhead, plan_batches
from edge_rerank.cpu import read_cpu
from edge_rerank.engines import Engine, create_engine
from edge_rerank.tokenization import PairTokenizer, TokenizedPair
from edge_rerank_export import ExportOptions, export_model
from edge_rerank_export.parity import compare

from .random_checkpoint import write_random_checkpoint

PAIRS = 64
SHORTEST, LONGEST = 66, 358
"""Lengths of the mix, in tokens: about those of a question with a documentation section."""

Run = Callable[[], Any]


def main() -> None:
    """Parse the arguments, prepare both models in a temporary folder, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--checkpoint", type=Path, help="default: random weights, xsmall shape")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json for random weights")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(measure(prepare(args.checkpoint, args.tokenizer, Path(scratch)), args))


def prepare(checkpoint: Path | None, tokenizer: Path | None, scratch: Path) -> tuple[Path, Path]:
    """Make Optimum's int8 graph and our artifact; give the paths of both."""
    from optimum.exporters.onnx import main_export
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    if checkpoint is None:
        from edge_rerank.builtin import builtin_model

        tokenizer = tokenizer or builtin_model() / "tokenizer.json"
        checkpoint = write_random_checkpoint(scratch / "checkpoint", tokenizer)
    options = ExportOptions(allow_poor_parity=True)
    artifact = export_model(str(checkpoint), scratch / "artifact", options).path
    main_export(str(checkpoint), scratch / "fp32", task="text-classification", do_validation=False)
    preset = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=False)
    ORTQuantizer.from_pretrained(scratch / "fp32").quantize(
        save_dir=scratch / "int8", quantization_config=preset
    )
    return scratch / "int8" / "model_quantized.onnx", artifact


def measure(models: tuple[Path, Path], args: argparse.Namespace) -> str:
    """Time the three ways in turn and give the report."""
    import onnxruntime

    graph, folder = models
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    artifact = load_artifact(folder)
    engine = create_engine(artifact, threads=args.threads, max_length=artifact.manifest.max_length)
    pairs = make_pairs(vocabulary=artifact.manifest.architecture.vocab_size)
    arrival = padded_feeds(pairs, 32)
    by_length = padded_feeds(sorted(pairs, key=lambda pair: len(pair.ids)), 16)
    runs: dict[str, Run] = {
        "Optimum int8, arrival order, 32 a batch": lambda: run_all(session, arrival),
        "Optimum int8, sorted, 16 a batch": lambda: run_all(session, by_length),
        "edge-rerank": lambda: engine.logits(pairs),
    }
    times = take_turns(runs, args.rounds)
    lengths = [len(pair.ids) for pair in pairs]
    batches = plan_batches(lengths, max_length=512, workers=args.threads)
    head = (
        f"{len(pairs)} pairs, {sum(lengths)} tokens, {args.threads} threads, "
        f"onnxruntime {onnxruntime.__version__}, {read_cpu().model}\n"
        f"padding overhead of edge-rerank: {padding_overhead(lengths, batches):.1%}\n"
    )
    errors = probe_errors(artifact, session, engine)
    engine.close()
    return head + table(times, "edge-rerank") + "\n" + errors


def probe_errors(artifact: Artifact, session: Any, engine: Engine) -> str:
    """Say how far both are from the fp32 logits of the artifact's probe pairs.

    Optimum's model gets them one by one: its error depends on the company in a batch.
    """
    probes = load_probes(artifact)
    tokenizer = PairTokenizer(artifact.file("tokenizer.json"), max_length=512)
    pairs = tokenizer.encode([(probe.query, probe.document) for probe in probes])
    expected = np.array([probe.logit for probe in probes], np.float32)
    stock = [session.run(None, padded_feeds([pair], 1)[0])[0].item() for pair in pairs]
    figures = {"Optimum int8": np.array(stock, np.float32), "edge-rerank": engine.logits(pairs)}
    lines = ["", f"error against fp32 on {len(probes)} probe pairs, in sigma of the logits:"]
    for name, logits in figures.items():
        parity = compare(logits, expected)
        lines.append(f"{name:42s}rms {parity.rms_in_sigma:.3f}, tau {parity.kendall_tau:.3f}")
    return "\n".join(lines)


def make_pairs(vocabulary: int, seed: int = 0) -> list[TokenizedPair]:
    """Give pairs of random tokens, lengths spread evenly, in a random order."""
    rng = random.Random(seed)
    step = (LONGEST - SHORTEST) / (PAIRS - 1)
    lengths = [round(SHORTEST + step * index) for index in range(PAIRS)]
    # Squeezed towards the short end, where passages are: the mean is about 160 tokens.
    lengths = [round(SHORTEST + (it - SHORTEST) ** 2 / (LONGEST - SHORTEST)) for it in lengths]
    rng.shuffle(lengths)
    return [
        TokenizedPair(tuple(rng.randrange(5, vocabulary) for _ in range(length)), length, False)
        for length in lengths
    ]


def padded_feeds(pairs: Sequence[TokenizedPair], rows: int) -> list[dict[str, Any]]:
    """Cut pairs into batches as they come, each padded to its longest."""
    feeds = []
    for start in range(0, len(pairs), rows):
        batch = pairs[start : start + rows]
        width = max(len(pair.ids) for pair in batch)
        ids = np.zeros((len(batch), width), np.int64)
        mask = np.zeros_like(ids)
        for row, pair in enumerate(batch):
            ids[row, : len(pair.ids)] = pair.ids
            mask[row, : len(pair.ids)] = 1
        feeds.append({"input_ids": ids, "attention_mask": mask})
    return feeds


def run_all(session: Any, feeds: Sequence[dict[str, Any]]) -> None:
    """Run every batch."""
    for feed in feeds:
        session.run(None, feed)


def take_turns(runs: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    """Time each run once a round, after one round that does not count; seconds."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - start)
    return times


def table(times: dict[str, list[float]], ours: str) -> str:
    """Give medians, spread, and the median of the ratios taken round by round."""
    lines = [f"{'':42s}{'median s':>9s}{'min':>8s}{'max':>8s}{'times ours':>12s}"]
    for name, seconds in times.items():
        ratio = statistics.median(
            theirs / us for theirs, us in zip(seconds, times[ours], strict=True)
        )
        lines.append(
            f"{name:42s}{statistics.median(seconds):9.3f}{min(seconds):8.3f}"
            f"{max(seconds):8.3f}{ratio:12.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
