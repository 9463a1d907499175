"""The seam between the reranker and what computes: token ids in, logits out, or a typed error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edge_rerank.errors import EngineError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_rerank.artifact import Artifact
    from edge_rerank.tokenization import TokenizedPair

ENGINES = ("auto", "onnxruntime")


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is and how it was set up."""

    name: str
    version: str
    threads: int
    details: Mapping[str, Any]
    """Settings of this engine alone, as plain JSON values."""


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
    artifact: Artifact, *, name: str = "auto", threads: int, max_length: int
) -> Engine:
    """Start the engine ``name`` on an artifact; ``auto`` takes the best there is.

    Raises InputError for an unknown name, EngineError when the engine cannot be started.
    """
    if name not in ENGINES:
        raise InputError(f"engine is {name!r}; expected one of {', '.join(ENGINES)}")
    try:
        from edge_rerank.engines.onnx import OnnxEngine
    except ImportError as error:
        raise EngineError(f"onnxruntime cannot be imported: {error}; reinstall it") from error
    return OnnxEngine(artifact, threads=threads, max_length=max_length)
