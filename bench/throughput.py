"""Throughput beside peers, on the same pairs, in the same run.

Run: python -m edge_rerank_bench.throughput [--checkpoint DIR] [--openvino PYTHON] [--rounds 5]

Optimum exports the checkpoint and quantises it with its AVX-512 VNNI preset (dynamic, per tensor).
It is given the pairs in arrival order, 32 a batch, as a straightforward program would, and sorted
by length, 16 a batch; so is its fp32 graph, and OpenVINO, when ``--openvino`` names a Python
that has openvino, nncf, torch and transformers. edge-rerank is given all pairs in
arrival order. All take turns, so that a noisy machine hurts all alike; ratios are taken round by
round. Errors against fp32 are printed too; they mean something for a trained checkpoint only.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_rerank.artifact import Artifact, load_artifact, load_probes
from edge_rerank.cpu import read_cpu
from edge_rerank.engines import Engine, create_engine
from edge_rerank.tokenization import PairTokenizer, TokenizedPair
from edge_rerank_export import ExportOptions, export_model
from edge_rerank_export.parity import compare

from .native_limits import limits, scaling
from .random_checkpoint import write_random_checkpoint

PAIRS = 64
SHORTEST, LONGEST = 66, 358
"""Lengths of the mix, in tokens: about those of a question with a documentation section."""

Run = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Models:
    """One checkpoint as each of the peers wants it."""

    checkpoint: Path
    int8: Path
    """Our artifact."""
    fp32: Path
    """Our fp32 artifact, which holds the graph as Optimum exports it."""
    optimum_fp32: Path
    optimum_int8: Path


def main() -> None:
    """Parse the arguments, prepare all models in a temporary folder, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--checkpoint", type=Path, help="default: random weights, xsmall shape")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json for random weights")
    parser.add_argument("--openvino", type=Path, help="Python of an environment with OpenVINO")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(measure(prepare(args.checkpoint, args.tokenizer, Path(scratch)), args))


def prepare(checkpoint: Path | None, tokenizer: Path | None, scratch: Path) -> Models:
    """Make Optimum's graphs and our artifacts."""
    from optimum.exporters.onnx import main_export
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    if checkpoint is None:
        from edge_rerank.builtin import builtin_model

        tokenizer = tokenizer or builtin_model() / "tokenizer.json"
        checkpoint = write_random_checkpoint(scratch / "checkpoint", tokenizer)
    ours = {
        precision: export_model(
            str(checkpoint),
            scratch / f"artifact-{precision}",
            ExportOptions(precision=precision, allow_poor_parity=True),
        ).path
        for precision in ("int8", "fp32")
    }
    main_export(str(checkpoint), scratch / "fp32", task="text-classification", do_validation=False)
    preset = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=False)
    ORTQuantizer.from_pretrained(scratch / "fp32").quantize(
        save_dir=scratch / "int8", quantization_config=preset
    )
    return Models(
        checkpoint,
        ours["int8"],
        ours["fp32"],
        scratch / "fp32" / "model.onnx",
        scratch / "int8" / "model_quantized.onnx",
    )


def measure(models: Models, args: argparse.Namespace) -> str:
    """Time all ways in turn and give the report."""
    import onnxruntime

    artifact = load_artifact(models.int8)
    pairs = make_pairs(vocabulary=artifact.manifest.architecture.vocab_size)
    arrival = padded_feeds(pairs, 32)
    by_length = padded_feeds(sorted(pairs, key=lambda pair: len(pair.ids)), 16)
    stock = _session(models.optimum_int8, args.threads)
    stock_fp32 = _session(models.optimum_fp32, args.threads)
    with ExitStack() as stack:
        engines = _engines(models, args.threads, stack)
        runs: dict[str, Run] = {
            "Optimum int8, arrival order, 32 a batch": lambda: run_all(stock, arrival),
            "Optimum int8, sorted, 16 a batch": lambda: run_all(stock, by_length),
            "Optimum fp32, sorted, 16 a batch": lambda: run_all(stock_fp32, by_length),
        }
        versions = f"onnxruntime {onnxruntime.__version__}"
        if args.openvino:
            peer = stack.enter_context(OpenVino(args.openvino, models.checkpoint, by_length, args))
            versions += f", {peer.versions}"
            runs["OpenVINO int8 (NNCF), sorted, 16 a batch"] = lambda: peer.run("int8")
            runs["OpenVINO fp32, sorted, 16 a batch"] = lambda: peer.run("fp32")
        for name, engine in engines.items():
            runs[name] = lambda engine=engine: engine.logits(pairs)  # type: ignore[misc]
        times = take_turns(runs, args.rounds)
        ours = next(iter(engines))
        report = [
            f"{len(pairs)} pairs, {sum(len(pair.ids) for pair in pairs)} tokens, {args.threads} "
            f"threads, {versions}, {read_cpu().model}",
            table(times, ours),
            probe_errors(artifact, stock, engines[ours]),
            limits(engines[ours]),
            scaling(engines[ours], artifact.manifest.architecture.vocab_size),
        ]
    return "\n\n".join(part for part in report if part)


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _engines(models: Models, threads: int, stack: ExitStack) -> dict[str, Engine]:
    """Open our engines; the first one is what the others are compared with."""
    asked: list[tuple[str, Path, str, str | None]] = [
        ("edge-rerank", models.int8, "native", None),
        ("edge-rerank, fp32", models.fp32, "native", None),
        ("edge-rerank on ONNX Runtime", models.int8, "onnxruntime", None),
    ]
    if read_cpu().is_x86:
        asked.append(("edge-rerank, kernel avx2", models.int8, "native", "avx2"))
    engines = {}
    for label, folder, name, kernel in asked:
        artifact = load_artifact(folder)
        length = artifact.manifest.max_length
        engines[label] = create_engine(
            artifact, name=name, kernel=kernel, threads=threads, max_length=length
        )
        stack.callback(engines[label].close)
    return engines


class OpenVino:
    """OpenVINO in a process of its own environment, asked to run by name."""

    def __init__(
        self, python: Path, checkpoint: Path, feeds: Sequence[dict[str, Any]], args: Any
    ) -> None:
        """Start it and wait until its models are compiled; raises RuntimeError when it ends."""
        self._scratch = tempfile.TemporaryDirectory()
        file = Path(self._scratch.name, "feeds.npz")
        arrays = {f"ids{i}": feed["input_ids"] for i, feed in enumerate(feeds)}
        arrays |= {f"mask{i}": feed["attention_mask"] for i, feed in enumerate(feeds)}
        np.savez(file, **arrays)
        worker = Path(__file__).with_name("openvino_worker.py")
        self._process = subprocess.Popen(
            [python, worker, checkpoint, file, str(args.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.versions = self._answer("ready ")

    def __enter__(self) -> OpenVino:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()
        self._scratch.cleanup()

    def run(self, name: str) -> None:
        """Run all batches with one of the worker's models."""
        self._process.stdin.write(name + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        self._answer("")

    def _answer(self, begin: str) -> str:
        for line in self._process.stdout:  # type: ignore[union-attr]
            if line.startswith(begin):
                return line[len(begin) :].strip()
        raise RuntimeError(f"the OpenVINO worker ended with {self._process.wait()}")


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
    lines = [f"error against fp32 on {len(probes)} probe pairs, in sigma of the logits:"]
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
