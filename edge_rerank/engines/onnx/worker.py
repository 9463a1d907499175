"""One worker's share of an ONNX Runtime engine: buffers of its own, bound to the session."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_rerank.engines.onnx.session import IDS, LOGITS, MASK, TYPES, OpenedSession
from edge_rerank.errors import EngineError
from edge_rerank.pairs import TokenizedBatch


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

    def run(self, batch: TokenizedBatch, length: int) -> NDArray[np.float32]:
        """Return the logits of pairs padded to ``length``, as a copy; raises EngineError."""
        rows = len(batch)
        self._fill(batch, length)
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

    def _fill(self, batch: TokenizedBatch, length: int) -> None:
        """Write the pairs into the buffers, padded, as rows of ``length``."""
        places = np.arange(length)
        real = places < batch.lengths[:, None]
        ids, mask = self._rows(IDS, len(batch), length), self._rows(MASK, len(batch), length)
        ids.fill(self._pad)
        ids[real] = batch.ids
        mask[...] = real
        if TYPES in self._buffers:
            types = self._rows(TYPES, len(batch), length)
            types[...] = real & (places >= batch.first_segments[:, None])

    def _rows(self, name: str, rows: int, length: int) -> NDArray[np.int64]:
        """Return the start of a buffer as a matrix; a view, nothing is copied."""
        return self._buffers[name][: rows * length].reshape(rows, length)

    def _bind(self, rows: int, length: int) -> None:
        """Tell the session where its inputs lie and where the logits go; copies nothing."""
        for name, buffer in self._buffers.items():
            address = buffer.ctypes.data
            self._binding.bind_input(name, "cpu", 0, np.int64, [rows, length], address)
        shape = [rows, *self._logit_shape]
        self._binding.bind_output(LOGITS, "cpu", 0, np.float32, shape, self._out.ctypes.data)
