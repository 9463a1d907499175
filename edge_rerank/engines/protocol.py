"""The seam between the reranker and what computes: token ids in, logits out, or a typed error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge_rerank.ending import NO_LIMITS, Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_rerank.description import EngineInfo, EngineName
    from edge_rerank.pairs import TokenizedBatch


class Engine(Protocol):
    """Computes logits. Every engine is safe to call from several threads at once."""

    @property
    def name(self) -> EngineName:
        """The name it is asked for by."""

    def logits(self, batch: TokenizedBatch, limits: Limits = NO_LIMITS) -> NDArray[np.float32]:
        """Return one float32 logit a pair, shape ``[len(batch)]``, in input order.

        Calls from several threads take turns, a piece each, in order of arrival.

        Raises InputError for ids the model does not have and for empty or over-long sequences,
        before anything is computed; EngineError when the computation fails or gives a logit that
        is not finite; ClosedError after :meth:`close`; CancelledError and TimedOutError where
        ``limits`` end it, which are looked at between pieces.
        """

    def describe(self) -> EngineInfo:
        """Say what the engine is and how it was set up."""

    def close(self) -> None:
        """Free the model and all buffers. A second call does nothing."""
