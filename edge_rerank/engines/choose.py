"""Which engine runs an artifact here: the native one, or ONNX Runtime, and why."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from edge_rerank.errors import EngineError, InputError

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
        why = f"the native engine cannot: {error}"
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


def import_engine(name: EngineChoice) -> None:
    """Import what :func:`create_engine` will need first, so that it gets to work at once.

    What goes wrong is left for that to find again.
    """
    if name == "onnxruntime":
        return  # takes its time, and can as well take it there
    import edge_rerank.engines.native  # noqa: F401
    from edge_rerank.native_library import load_library

    with contextlib.suppress(EngineError):
        load_library()


def _onnxruntime(
    artifact: Artifact, threads: int, max_length: int, map_weights: bool, why: str
) -> Engine:
    from edge_rerank.engines.onnx.engine import OnnxEngine

    return OnnxEngine(
        artifact, threads=threads, max_length=max_length, map_weights=map_weights, why=why
    )
