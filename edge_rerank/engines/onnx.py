"""ONNX Runtime on the CPU: sorted, padded batches, run from buffers that are allocated once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_rerank.artifact import Artifact
from edge_rerank.batching import MAX_ROWS, TOKEN_BUDGET, Batch, plan_batches
from edge_rerank.engines import EngineInfo
from edge_rerank.engines._session import IDS, LOGITS, MASK, TYPES, open_session
from edge_rerank.errors import ClosedError, EngineError, InputError
from edge_rerank.memory import return_free_memory
from edge_rerank.tokenization import TokenizedPair


class OnnxEngine:
    """Runs ``model.onnx`` with ONNX Runtime; see :class:`edge_rerank.engines.Engine`.

    The graph takes ``input_ids`` and ``attention_mask`` and, in a model with token types,
    ``token_type_ids``, all int64 ``[batch, sequence]``, and gives ``logits``, float32
    ``[batch, 1]`` or ``[batch]``.
    """

    name = "onnxruntime"

    def __init__(
        self,
        artifact: Artifact,
        *,
        threads: int,
        max_length: int,
        token_budget: int = TOKEN_BUDGET,
    ) -> None:
        """Open the graph with ``threads`` threads; raises EngineError when it cannot be run."""
        self._threads = threads
        self._max_length = max_length
        self._budget = token_budget
        self._vocabulary = artifact.manifest.architecture.vocab_size
        self._pad = artifact.manifest.architecture.pad_token_id
        self._lock = threading.Lock()
        opened = open_session(artifact, threads)
        self._session: Any = opened.session
        self._binding: Any = opened.session.io_binding()
        self._settings = opened.settings
        self._version = opened.version
        self._logit_shape = opened.logit_shape
        room = max(token_budget, max_length)
        self._buffers = {name: np.zeros(room, np.int64) for name in opened.inputs}
        self._out = np.zeros(MAX_ROWS, np.float32)

    def logits(self, pairs: Sequence[TokenizedPair]) -> NDArray[np.float32]:
        """Give one float32 logit a pair, in input order; see the protocol for the errors."""
        self._check(pairs)
        lengths = [len(pair.ids) for pair in pairs]
        batches = plan_batches(lengths, max_length=self._max_length, token_budget=self._budget)
        result = np.empty(len(pairs), np.float32)
        for batch in batches:
            # The lock is taken for each batch, not for the call, so that a short call need not
            # wait for all of a long one. The threads under it already use every core.
            with self._lock:
                result[list(batch.indices)] = self._run(pairs, batch)
        return result

    def describe(self) -> EngineInfo:
        """Say which ONNX Runtime it is and how it was set up."""
        details = {**self._settings, "token_budget": self._budget, "max_length": self._max_length}
        return EngineInfo(self.name, self._version, self._threads, details)

    def close(self) -> None:
        """Free the session and the buffers, and give the memory back to the system."""
        with self._lock:
            self._binding = self._session = None
            self._buffers = {}
        return_free_memory()

    def _check(self, pairs: Sequence[TokenizedPair]) -> None:
        for index, pair in enumerate(pairs):
            if not 1 <= len(pair.ids) <= self._max_length:
                raise InputError(
                    f"pair {index} has {len(pair.ids)} tokens; expected 1 to {self._max_length}"
                )
            low, high = min(pair.ids), max(pair.ids)
            if low < 0 or high >= self._vocabulary:
                raise InputError(
                    f"pair {index} has the token id {low if low < 0 else high}; the model's "
                    f"vocabulary has 0 to {self._vocabulary - 1}: the tokenizer is another model's"
                )

    def _run(self, pairs: Sequence[TokenizedPair], batch: Batch) -> NDArray[np.float32]:
        if self._session is None:
            raise ClosedError("the engine is closed; load a new one")
        rows = len(batch.indices)
        self._fill([pairs[index] for index in batch.indices], batch.length)
        self._bind(rows, batch.length)
        logits = self._out[:rows]
        logits.fill(np.nan)  # whatever the graph fails to write is then found below
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise EngineError(
                f"ONNX Runtime failed on {rows} x {batch.length} tokens: {error}"
            ) from error
        if not np.isfinite(logits).all():
            bad = batch.indices[int(np.flatnonzero(~np.isfinite(logits))[0])]
            raise EngineError(f"the model gave a logit that is not finite for pair {bad}")
        return logits

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
