"""Opening ``model.onnx``: session options and why, and the graph's contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_rerank.artifact.folder import Artifact
from edge_rerank.engines.onnx.external import external_data, lent_to
from edge_rerank.engines.onnx.runtime import import_onnxruntime
from edge_rerank.errors import EngineError
from edge_rerank.files import library_path
from edge_rerank.machine.cpu import read_cpu

IDS, MASK, TYPES, LOGITS = "input_ids", "attention_mask", "token_type_ids", "logits"
CAREFUL_PRODUCTS = "session.x64quantprecision"
_FATAL_ONLY = 4


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """An ONNX Runtime session whose graph keeps the contract."""

    session: Any
    version: str
    """ONNX Runtime's."""
    inputs: tuple[str, ...]
    logit_shape: tuple[int, ...]
    """What follows the batch dimension of the logits: ``(1,)`` or nothing."""
    settings: dict[str, Any]


def open_session(artifact: Artifact, why: str, *, map_weights: bool = False) -> OpenedSession:
    """Open the artifact's graph; ``why`` it is ONNX Runtime's turn.

    Raises EngineError when it cannot be run or is of another kind, UnsafePathError when it keeps
    weights in a file that is not the artifact's.
    """
    runtime = import_onnxruntime(why)
    weights = external_data(artifact)
    path = artifact.file("model.onnx")
    settings = session_settings(artifact)
    options = runtime.SessionOptions()
    # The engine runs whole batches side by side, each on the one thread that asked for it.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    if artifact.manifest.precision == "int8":
        # This graph is written with the operators that are fast. The fusions of the higher
        # levels would turn some of them into slower ones, SkipLayerNormalization above all. But
        # careful products are such a rewriting too: below "extended" the setting does nothing.
        levels = runtime.GraphOptimizationLevel
        careful = CAREFUL_PRODUCTS in settings
        options.graph_optimization_level = (
            levels.ORT_ENABLE_EXTENDED if careful else levels.ORT_ENABLE_BASIC
        )
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _FATAL_ONLY  # what goes wrong is raised, not printed
    # A memory plan is kept for each input shape ever seen: memory would grow with the shapes.
    options.enable_mem_pattern = False
    for key, value in settings.items():
        options.add_session_config_entry(key, value)
    try:
        with lent_to(options, _out_of_reach(path, weights) if map_weights else weights):
            session = runtime.InferenceSession(
                library_path(path), options, providers=["CPUExecutionProvider"]
            )
    except Exception as error:
        raise EngineError(f"{path}: ONNX Runtime cannot open it: {error}") from error
    types = artifact.manifest.architecture.token_types > 0
    inputs = _check_inputs(session.get_inputs(), types, str(path))
    return OpenedSession(
        session=session,
        version=str(runtime.__version__),
        inputs=inputs,
        logit_shape=_logit_shape(session, str(path)),
        settings=dict(settings),
    )


def _out_of_reach(graph: Path, files: Mapping[str, Path]) -> dict[str, Path]:
    """Return those that a link leads out of the graph's folder: ONNX Runtime opens none of them."""
    folders = (graph.parent.resolve(), graph.resolve().parent)
    return {
        name: path
        for name, path in files.items()
        if not any(path.resolve().is_relative_to(folder) for folder in folders)
    }


def session_settings(artifact: Artifact) -> dict[str, str]:
    """Return the session configuration for this artifact on this processor."""
    settings = {}
    if artifact.manifest.precision == "int8" and read_cpu().saturates:
        # Otherwise sums of two 8-bit products saturate in 16 bits, and the scores are garbage
        # (onnxruntime issues 6004 and 28609 among others).
        settings[CAREFUL_PRODUCTS] = "1"
    return settings


def _check_inputs(inputs: Sequence[Any], types: bool, where: str) -> tuple[str, ...]:
    expected = (IDS, MASK, TYPES) if types else (IDS, MASK)
    found = {item.name: item for item in inputs}
    if set(found) != set(expected):
        raise EngineError(
            f"{where}: the graph's inputs are {', '.join(found)}; expected {', '.join(expected)}"
        )
    for item in inputs:
        if item.type != "tensor(int64)" or len(item.shape) != 2:
            raise EngineError(
                f"{where}: {item.name} is {item.type} of {item.shape}; "
                "expected int64 [batch, sequence]"
            )
    return expected


def _logit_shape(session: Any, where: str) -> tuple[int, ...]:
    outputs = session.get_outputs()
    names = ", ".join(item.name for item in outputs)
    if names != LOGITS:
        raise EngineError(f"{where}: the graph's outputs are {names}; expected {LOGITS} alone")
    item = outputs[0]
    rank = len(item.shape)
    last_is_one = rank == 1 or item.shape[-1] == 1 or isinstance(item.shape[-1], str)
    if item.type != "tensor(float)" or rank not in (1, 2) or not last_is_one:
        raise EngineError(
            f"{where}: logits are {item.type} of {item.shape}; expected float [batch, 1]"
        )
    return (1,) if rank == 2 else ()
