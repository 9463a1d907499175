"""The seam between the reranker and what computes: token ids in, logits out, or a typed error."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edge_rerank.errors import EngineError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_rerank.artifact import Artifact
    from edge_rerank.tokenization import TokenizedPair

ENGINES = ("auto", "native", "onnxruntime")
_ASKED = "it was asked for"


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is and how it was set up."""

    name: str
    version: str
    threads: int
    details: Mapping[str, Any]
    """Why it is this engine, and settings of this engine alone, as plain JSON values."""


class Engine(Protocol):
    """Computes logits. Every engine is safe to call from several threads at once."""

    @property
    def name(self) -> str:
        """The name it is asked for by, one of ENGINES."""

    def logits(self, pairs: Sequence[TokenizedPair]) -> NDArray[np.float32]:
        """Give one float32 logit a pair, shape ``[len(pairs)]``, in input order.

        Raises InputError for ids the model does not have and for empty or over-long sequences,
        before anything is computed; EngineError when the computation fails or gives a logit that
        is not finite; ClosedError after :meth:`close`.
        """

    def describe(self) -> EngineInfo:
        """Say what the engine is and how it was set up."""

    def close(self) -> None:
        """Free the model and all buffers. A second call does nothing."""


def create_engine(
    artifact: Artifact,
    *,
    name: str = "auto",
    threads: int,
    max_length: int,
    kernel: str | None = None,
) -> Engine:
    """Start the engine ``name`` on an artifact; ``auto`` takes the best there is.

    That is the native engine, or ONNX Runtime where the native one was not built or cannot run
    this model on this machine; :meth:`Engine.describe` says why. A ``kernel`` is the native
    engine's, and leaves no other choice.

    Raises InputError for an unknown name or kernel, EngineError when the engine cannot be
    started, ArtifactError when the model's files are not as they should be.
    """
    check_choice(name, kernel)
    if name == "onnxruntime":
        return _onnxruntime(artifact, threads, max_length, _ASKED)
    from edge_rerank.engines._library import UnavailableError
    from edge_rerank.engines.native import NativeEngine

    why = _ASKED if name == "native" else "the fastest engine, and it runs this model here"
    try:
        return NativeEngine(
            artifact, threads=threads, max_length=max_length, kernel=kernel, why=why
        )
    except UnavailableError as error:
        if name == "native" or kernel is not None:
            raise
        return _onnxruntime(artifact, threads, max_length, f"the native engine cannot: {error}")


def check_choice(name: str, kernel: str | None) -> None:
    """Raise InputError for an unknown engine, or a kernel for one that has none."""
    if name not in ENGINES:
        raise InputError(f"engine is {name!r}; expected one of {', '.join(ENGINES)}")
    if kernel is not None and name == "onnxruntime":
        raise InputError(
            f"kernel is {kernel!r}, but onnxruntime has no kernels to choose from; "
            "leave it out, or take the native engine"
        )


def import_engine(name: str) -> None:
    """Import what :func:`create_engine` will need first, so that it gets to work at once.

    What goes wrong is left for that to find again.
    """
    if name == "onnxruntime":
        return  # takes its time, and can as well take it there
    import edge_rerank.engines.native  # noqa: F401
    from edge_rerank.engines._library import load_library

    with contextlib.suppress(EngineError):
        load_library()


def _onnxruntime(artifact: Artifact, threads: int, max_length: int, why: str) -> Engine:
    try:
        from edge_rerank.engines.onnx import OnnxEngine
    except ImportError as error:
        raise EngineError(f"onnxruntime cannot be imported: {error}; reinstall it") from error
    return OnnxEngine(artifact, threads=threads, max_length=max_length, why=why)
