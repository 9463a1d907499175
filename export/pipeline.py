"""The export from end to end, in stages; the artifact appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_rerank._version import __version__
from edge_rerank.artifact.folder import Probe, write_manifest, write_probes
from edge_rerank.artifact.manifest import (
    EMBEDDING_BITS,
    PRECISIONS,
    Manifest,
    Source,
)
from edge_rerank.errors import ParityError
from edge_rerank.installation import check_libraries
from edge_rerank.parity.agreement import ALIKE, Agreement, agree, spread
from edge_rerank.parity.limits import FP32_MAX, INT8_RMS
from edge_rerank.tokenizing.choose import PairTokenizer

from .calibration import Calibration, load_calibration
from .checkpoint import Checkpoint
from .errors import ExportError
from .output import Workplace, output_folder
from .probes import probe_pairs
from .progress import Report, Stages
from .scoring import Scoring
from .source import fetch_checkpoint
from .tokenizer import tokenizer_file
from .weights import read_weights, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .parameters import Tensors
    from .reference import TorchReference
    from .statistics import Statistics

FP32_LIMIT = FP32_MAX
"""Largest difference, in logits, that the fp32 graph may have from torch."""
INT8_LIMIT = INT8_RMS
"""Largest rms error of the int8 graph against fp32, as a fraction of the logits' sigma."""

_LIBRARIES = ("torch", "transformers", "optimum", "onnx", "onnxruntime", "safetensors")
_TOOLS = ("torch", "transformers", "optimum", "onnx", "onnxruntime", "tokenizers", "numpy")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What may be chosen about an export."""

    precision: str = "int8"
    """``int8``, or ``fp32`` for Optimum's graph as it is."""
    revision: str | None = None
    """Commit, tag or branch of a model on the hub."""
    name: str | None = None
    """Name in the manifest; the checkpoint's own when None."""
    license: str | None = None
    """SPDX name of the weights' licence; the one in the model card when None."""
    activation: str | None = None
    """What makes a logit the score: ``sigmoid``, ``identity`` or ``tanh``; the checkpoint's own,
    or else the sigmoid, when None."""
    relevant_label: str | None = None
    """Which of a head's two outputs means relevant, by name or number: the logit is then its
    difference from the other. None for a head of one output, which every other is refused for."""
    prompt: str | None = None
    """Name of the checkpoint's prompt that is put before each query, or ``none``; the checkpoint's
    default when None."""
    max_length: int | None = None
    """Most tokens of a pair; the model's own limit when None."""
    embedding_bits: int = 8
    """Of the table of words in an int8 model: 8, or 4."""
    calibration: str | os.PathLike[str] | None = None
    """JSONL file of pairs to calibrate int8 on; the pairs that ship when None."""
    max_error: float = INT8_LIMIT
    """Limit of the int8 rms error, as a fraction of the logits' standard deviation."""
    allow_poor_parity: bool = False
    """Keep an artifact whose parity is worse than the limits."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export made, and how close it came."""

    path: Path
    manifest: Manifest
    fp32: Agreement
    """Optimum's fp32 graph against torch."""
    int8: Agreement | None
    """The int8 graph against the fp32 graph; None for an fp32 artifact."""
    four_bits: Agreement | None = None
    """The graph with words of 4 bits against the one of 8; None for other artifacts."""


def export_model(
    model: str,
    output: str | os.PathLike[str],
    options: ExportOptions | None = None,
    *,
    report: Report | None = None,
) -> ExportReport:
    """Turn a checkpoint into an artifact.

    ``model`` is a checkpoint's folder, or the name of a model on the Hugging Face hub, which is
    the only case in which the network is used. ``output`` is a folder that does not exist yet or
    is empty. Progress goes to ``report``, line by line; to standard error when it is None.

    Raises CheckpointError when the checkpoint cannot be exported, ParityError when the result is
    further from the checkpoint than the limits allow, ExportError for anything else. Nothing is
    left behind then.
    """
    options = options or ExportOptions()
    check_libraries(_LIBRARIES, "export", "the exporter", ExportError)
    _check_options(options)
    calibration = _calibration(options)
    if not os.fspath(output):
        raise ExportError("the output is an empty name; expected a folder, such as ./my-model")
    stages = Stages(7 if calibration else 6, report)
    with output_folder(Path(output)) as place:
        with stages.stage(f"reading {model}"):
            checkpoint = fetch_checkpoint(
                model, revision=options.revision, relevant_label=options.relevant_label
            )
        result = _Export(checkpoint, options, calibration, stages, place).write()
    return ExportReport(place.target, *result)


class _Export:
    """One run: what is fixed, and the stages."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        options: ExportOptions,
        calibration: Calibration | None,
        stages: Stages,
        place: Workplace,
    ) -> None:
        self.place = place
        self.checkpoint = checkpoint
        self.options = options
        self.calibration = calibration
        self.stages = stages
        self.activation = checkpoint.scoring.activation(
            options.activation, two_logits=checkpoint.layout.relevant is not None
        )
        self.prompt = checkpoint.scoring.prompt(options.prompt)
        for note in (checkpoint.scoring.note, _about_prompts(checkpoint.scoring, self.prompt)):
            if note:
                stages.note(note)
        self.max_length = _max_length(checkpoint, options.max_length)
        self.tokenizer_file = tokenizer_file(checkpoint, place.scratch)
        self.tokenizer = PairTokenizer(
            self.tokenizer_file, max_length=self.max_length, prompt=self.prompt
        )
        self.probes = probe_pairs()
        self.tokens = self.tokenizer.encode(self.probes)

    def write(self) -> tuple[Manifest, Agreement, Agreement | None, Agreement | None]:
        """Write all files of the artifact."""
        from .reference import TorchReference

        place = self.place
        # Before torch sees the weights: what is wrong with them is then said plainly, and soon.
        tensors = self._parameters()
        place.check_room(self._room(tensors))
        with self.stages.stage("loading the model in torch"):
            torch_reference = TorchReference(self.checkpoint)
        graph = place.scratch / "model.onnx"
        fp32, logits = self._reference_graph(torch_reference, tensors, graph)
        int8 = four_bits = None
        if self.calibration is None:
            self._write_fp32(graph, tensors, place.artifact)
        else:
            statistics = self._calibrate(torch_reference, self.calibration)
            del torch_reference
            int8, four_bits = self._write_int8(tensors, statistics, place, logits)
        manifest = self._write_rest(place.artifact, logits, fp32, int8, four_bits)
        return manifest, fp32, int8, four_bits

    def _room(self, tensors: Tensors) -> int:
        """Estimate the bytes that are written: the fp32 graph, and the artifact's weights."""
        size = sum(tensor.nbytes for tensor in tensors.values())
        return size + (size if self.calibration is None else size // 4)

    def _reference_graph(
        self, torch_reference: TorchReference, tensors: Tensors, path: Path
    ) -> tuple[Agreement, NDArray[np.float32]]:
        from .int8 import write_graph
        from .reference import OnnxReference

        own = self.checkpoint.layout.own_graph
        how = "building the fp32 graph" if own else "exporting the fp32 graph with Optimum"
        with self.stages.stage(how):
            expected = torch_reference.logits(self.tokens)
            if own:
                write_graph(path.parent, tensors, self.checkpoint.architecture, self.max_length)
            else:
                torch_reference.export(path)
            logits = OnnxReference(path).logits(self.tokens)
        fp32 = agree(logits.tolist(), expected.tolist())
        if not fp32.max_error <= FP32_LIMIT:
            self._refuse(
                f"the fp32 graph differs from torch by up to {fp32.max_error:.2g} logits on the "
                f"probe pairs; the limit is {FP32_LIMIT:g}"
            )
        if spread(logits.tolist()) < ALIKE:
            self._refuse(
                f"all {len(logits)} probe pairs have the same logit, {logits[0]:.4g}, whatever "
                "their texts: the head is not trained"
            )
        return fp32, logits

    def _parameters(self) -> Tensors:
        from .parameters import collect_parameters

        with self.stages.stage("computing what depends on weights alone"):
            weights = read_weights(self.checkpoint.weight_files)
            if modules := self.checkpoint.layout.modules:
                weights = within(self.checkpoint.layout.names.encoder, weights)
                weights |= modules.weights()
            return collect_parameters(weights, self.checkpoint.layout, self.max_length)

    def _write_fp32(self, graph: Path, tensors: Tensors, folder: Path) -> None:
        import onnx

        from .weights_file import WEIGHTS_NAME, refer_by_content, write_weights

        with self.stages.stage("writing the fp32 graph"):
            if self.checkpoint.layout.own_graph:
                for name in (graph.name, WEIGHTS_NAME):
                    os.replace(graph.with_name(name), folder / name)
                return
            model = onnx.load(str(graph))
            extents = write_weights(folder / WEIGHTS_NAME, tensors)
            refer_by_content(model, tensors, extents)
            onnx.save(model, str(folder / "model.onnx"))

    def _calibrate(self, torch_reference: TorchReference, calibration: Calibration) -> Statistics:
        from .statistics import collect_statistics

        with self.stages.stage(f"calibrating on {len(calibration.pairs)} pairs"):
            pairs = self.tokenizer.encode(calibration.pairs)
            return collect_statistics(torch_reference, self.checkpoint.architecture, pairs)

    def _write_int8(
        self,
        tensors: Tensors,
        statistics: Statistics,
        place: Workplace,
        logits: NDArray[np.float32],
    ) -> tuple[Agreement, Agreement | None]:
        from .int8 import quantize
        from .quantize import WORDS, with_four_bits

        four_bits = None
        with self.stages.stage("quantising, and building the int8 graph"):
            words = tensors[f"{WORDS}.weight"]
            quantised = quantize(tensors, self.checkpoint.architecture, statistics)
            if self.options.embedding_bits == 4:
                with_eight = self._int8_logits(quantised, place.scratch / "eight-bits")
                quantised = with_four_bits(quantised, words)
            found = self._int8_logits(quantised, place.artifact)
            if self.options.embedding_bits == 4:
                four_bits = agree(found.tolist(), with_eight.tolist())
        int8 = agree(found.tolist(), logits.tolist())
        if not int8.rms_in_sigma <= self.options.max_error:
            self._refuse(
                f"the int8 graph's rms error is {int8.rms_in_sigma:.3f} of the logits' standard "
                f"deviation on the probe pairs; the limit is {self.options.max_error:g}"
                + (f" (4 bits for words cost {four_bits.rms_in_sigma:.3f})" if four_bits else "")
            )
        return int8, four_bits

    def _int8_logits(self, quantised: Tensors, folder: Path) -> NDArray[np.float32]:
        """Write the int8 graph into a folder, and return the probes' logits by it."""
        from .int8 import write_graph
        from .reference import OnnxReference

        folder.mkdir(exist_ok=True)
        write_graph(folder, quantised, self.checkpoint.architecture, self.max_length)
        return OnnxReference(folder / "model.onnx").logits(self.tokens)

    def _refuse(self, finding: str) -> None:
        if not self.options.allow_poor_parity:
            raise ParityError(
                f"{self.checkpoint.name}: {finding}. Nothing was written; "
                "--allow-poor-parity keeps the artifact all the same"
            )

    def _recipe(self) -> Mapping[str, Any] | None:
        from .int8 import describe

        bits = self.options.embedding_bits
        return describe(self.calibration, bits) if self.calibration else None

    def _write_rest(
        self,
        folder: Path,
        logits: NDArray[np.float32],
        fp32: Agreement,
        int8: Agreement | None,
        four_bits: Agreement | None,
    ) -> Manifest:
        checkpoint = self.checkpoint
        with self.stages.stage("writing the tokenizer, the probes and the manifest"):
            shutil.copyfile(self.tokenizer_file, folder / "tokenizer.json")
            text = json.dumps(dict(checkpoint.config), indent=2, ensure_ascii=False) + "\n"
            (folder / "config.json").write_text(text, encoding="utf-8", newline="\n")
            probes = zip(self.probes, logits, strict=True)
            write_probes(folder, tuple(Probe(*pair, float(logit)) for pair, logit in probes))
            found = {
                "fp32_graph_against_torch": fp32,
                "int8_against_fp32_graph": int8,
                "words_of_4_bits_against_8": four_bits,
            }
            parity = {name: one.to_json() for name, one in found.items() if one}
            return write_manifest(folder, self._manifest(parity))

    def _manifest(self, parity: Mapping[str, Any]) -> Manifest:
        checkpoint = self.checkpoint
        return Manifest(
            name=self.options.name or checkpoint.name.split("/")[-1],
            source=Source(checkpoint.name, checkpoint.revision, checkpoint.sha256()),
            license=self.options.license or checkpoint.license,
            precision=self.options.precision,
            max_length=self.max_length,
            architecture=checkpoint.architecture,
            quantization=self._recipe(),
            tools={"edge-rerank": __version__, **_tool_versions()},
            parity=parity,
            embedding_bits=self.options.embedding_bits if self.calibration else None,
            activation=self.activation,
            prompt=self.prompt,
            prompts=checkpoint.scoring.prompts,
            relevant_label=checkpoint.relevant_label,
        )


def _about_prompts(scoring: Scoring, prompt: str) -> str | None:
    """Say which of the checkpoint's prompts is put before queries, if it has any."""
    if not scoring.prompts:
        return None
    if prompt:
        return f"{prompt!r} is put before each query"
    return (
        f"the checkpoint's prompts ({', '.join(scoring.prompts)}) are used on request alone: put "
        "one before each query with --prompt NAME, or where you call the model"
    )


def _calibration(options: ExportOptions) -> Calibration | None:
    """Read the calibration pairs, before anything that takes time; None where none are needed."""
    if options.precision == "int8":
        path = options.calibration
        return load_calibration(None if path is None else Path(path))
    if options.calibration is not None:
        raise ExportError("a calibration file is for int8; leave it out, or export int8")
    return None


def _max_length(checkpoint: Checkpoint, wanted: int | None) -> int:
    limit = checkpoint.max_length
    if wanted is None:
        return limit
    if not 8 <= wanted <= limit:
        raise ExportError(f"max_length is {wanted}; expected 8 to {limit}, the model's limit")
    return wanted


def _check_options(options: ExportOptions) -> None:
    if options.precision not in PRECISIONS:
        raise ExportError(
            f"precision is {options.precision!r}; expected one of {', '.join(PRECISIONS)}"
        )
    if options.embedding_bits not in EMBEDDING_BITS:
        expected = " or ".join(map(str, EMBEDDING_BITS))
        raise ExportError(f"embedding_bits is {options.embedding_bits!r}; expected {expected}")
    if options.embedding_bits != 8 and options.precision != "int8":
        raise ExportError(
            f"embedding_bits {options.embedding_bits} is for int8; leave it out, or export int8"
        )
    if not options.max_error > 0:
        raise ExportError(f"max_error is {options.max_error}; expected a number above 0")


def _tool_versions() -> dict[str, str]:
    from importlib import metadata

    return {name: metadata.version(name) for name in _TOOLS}
