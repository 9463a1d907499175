"""One worker's share of an ONNX Runtime engine: buffers of its own, bound to the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_rerank.engines.onnx.session import IDS, LOGITS, MASK, TYPES, OpenedSession
from edge_rerank.errors import EngineError
from edge_rerank.pairs import TokenizedPair


class Worker:
    """Runs batches one at a time, from and into memory that is allocated once."""

    def __init__(self, opened: OpenedSession, room: int, pad_token_id: int) -> None:
        """Allocate for batches of up to ``room`` padded tokens."""
        self._session: Any = opened.session
        self._binding: Any = opened.session.io_binding()
        self._logit_shape = opened.logit_shape
        self._pad = pad_token_id
        self._buffers = {name: np.zeros(room, np.int64) for name in opened.inputs}
        self._out = np.zeros(room, np.float32)

    def run(self, pairs: Sequence[TokenizedPair], length: int) -> NDArray[np.float32]:
        """Give the logits of pairs padded to ``length``, as a copy; raises EngineError."""
        rows = len(pairs)
        self._fill(pairs, length)
        self._bind(rows, length)
        logits = self._out[:rows]
        logits.fill(np.nan)  # whatever the graph fails to write is then found below
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise EngineError(
                f"ONNX Runtime failed on {rows} x {length} tokens: {error}"
            ) from error
        if not np.isfinite(logits).all():
            raise EngineError(
                f"the model gave a logit that is not finite among {rows} x {length} tokens"
            )
        return logits.copy()

    def _fill(self, pairs: Sequence[TokenizedPair], length: int) -> None:
        """Write the pairs into the buffers, padded, as rows of ``length``."""
        ids, mask = self._rows(IDS, len(pairs), length), self._rows(MASK, len(pairs), length)
        ids.fill(self._pad)
        mask.fill(0)
        for row, pair in enumerate(pairs):
            ids[row, : len(pair.ids)] = pair.ids
            mask[row, : len(pair.ids)] = 1
        if TYPES in self._buffers:
            types = self._rows(TYPES, len(pairs), length)
            types.fill(0)
            for row, pair in enumerate(pairs):
                types[row, pair.first_segment : len(pair.ids)] = 1

    def _rows(self, name: str, rows: int, length: int) -> NDArray[np.int64]:
        """Give the start of a buffer as a matrix; a view, nothing is copied."""
        return self._buffers[name][: rows * length].reshape(rows, length)

    def _bind(self, rows: int, length: int) -> None:
        """Tell the session where its inputs lie and where the logits go; copies nothing."""
        for name, buffer in self._buffers.items():
            address = buffer.ctypes.data
            self._binding.bind_input(name, "cpu", 0, np.int64, [rows, length], address)
        shape = [rows, *self._logit_shape]
        self._binding.bind_output(LOGITS, "cpu", 0, np.float32, shape, self._out.ctypes.data)
