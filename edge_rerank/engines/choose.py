"""Which engine runs an artifact here: the native one, or ONNX Runtime, and why."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING

from edge_rerank.errors import EngineError, InputError, interrupt_behind
from edge_rerank.warning import warn

if TYPE_CHECKING:
    from edge_rerank.artifact.folder import Artifact
    from edge_rerank.description import EngineChoice, Kernel
    from edge_rerank.engines.protocol import Engine

ENGINES = ("auto", "native", "onnxruntime")
_ASKED = "it was asked for"


def create_engine(
    artifact: Artifact,
    *,
    name: EngineChoice = "auto",
    threads: int,
    max_length: int,
    kernel: Kernel | None = None,
    map_weights: bool = False,
) -> Engine:
    """Start the engine ``name`` on an artifact; ``auto`` takes the best there is.

    That is the native engine, or ONNX Runtime where the native one was not built or cannot run
    this model on this machine; :meth:`Engine.describe` says why. A ``kernel`` is the native
    engine's, and leaves no other choice. ``map_weights`` is explained at ``Reranker.load``.

    Raises InputError for an unknown name or kernel, EngineError when the engine cannot be
    started, ArtifactError when the model's files are not as they should be.
    """
    check_choice(name, kernel)
    if name == "onnxruntime":
        return _onnxruntime(artifact, threads, max_length, map_weights, _ASKED)
    from edge_rerank.engines.native import NativeEngine
    from edge_rerank.native_library import UnavailableError

    why = _ASKED if name == "native" else "the fastest engine, and it runs this model here"
    try:
        return NativeEngine(
            artifact,
            threads=threads,
            max_length=max_length,
            kernel=kernel,
            map_weights=map_weights,
            why=why,
        )
    except UnavailableError as error:
        if name == "native" or kernel is not None:
            raise
        reason = str(error)
    _warn_once(reason)
    why = f"the native engine cannot: {reason}"
    return _onnxruntime(artifact, threads, max_length, map_weights, why)


def check_choice(name: EngineChoice, kernel: Kernel | None) -> None:
    """Raise InputError for an unknown engine, or a kernel for one that has none."""
    if name not in ENGINES:
        raise InputError(f"engine is {name!r}; expected one of {', '.join(ENGINES)}")
    if kernel is not None and name == "onnxruntime":
        raise InputError(
            f"kernel is {kernel!r}, but onnxruntime has no kernels to choose from; "
            "leave it out, or take the native engine"
        )


def import_engine(name: EngineChoice, artifact: Artifact) -> None:
    """Import what :func:`create_engine` will need, on the thread that calls.

    Then it gets to work at once on a thread of its own, and no import is left half done, its lock
    held, when an interrupt ends the process. What goes wrong is left for it to find again.
    """
    outer = sys.exc_info()[1]
    try:
        needed = name == "onnxruntime" or (not _import_native(artifact) and name == "auto")
        if needed:
            _import_onnx()
    except EngineError as error:
        if interrupt_behind(error, outer) is not None:
            raise


def _import_native(artifact: Artifact) -> bool:
    """Return True where that is all that is needed."""
    from edge_rerank.engines.native import WEIGHTS
    from edge_rerank.native_library import UnavailableError, load_library

    try:
        load_library()
    except UnavailableError:
        return False
    return WEIGHTS in artifact.manifest.files


def _import_onnx() -> None:
    from edge_rerank.engines.onnx.engine import OnnxEngine  # noqa: F401
    from edge_rerank.engines.onnx.runtime import import_onnxruntime

    import_onnxruntime(_ASKED)


@lru_cache
def _warn_once(reason: str) -> None:
    """Say once in a process that scores have other bits here, and take longer."""
    warn(
        f"the native engine cannot run here: {reason}; onnxruntime takes its place, slower and "
        "with scores of other bits; engine='onnxruntime' asks for it without this warning"
    )


def _onnxruntime(
    artifact: Artifact, threads: int, max_length: int, map_weights: bool, why: str
) -> Engine:
    from edge_rerank.engines.onnx.engine import OnnxEngine

    return OnnxEngine(
        artifact, threads=threads, max_length=max_length, map_weights=map_weights, why=why
    )
