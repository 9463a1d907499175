"""Attention to near keys alone, whose cost grows with the length and not with its square.

Queries go in blocks as long as the attention reaches. All keys that a block can see lie in it, in
the one before and in the one behind: three blocks of keys, with a bias that hides those too far
from each query. To ONNX Runtime every block is a pair of a batch.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from .builder import GraphBuilder

_HIDDEN = -(10**9)  # a score that no softmax feels
_LEAST_BLOCK = 16


class LocalBlocks:
    """Cuts a batch into blocks; what depends on the mask alone is made once."""

    def __init__(self, graph: GraphBuilder, reach: int, heads: int, mask: str, length: str) -> None:
        """``mask`` is int32 ``[batch, length]``, and ``length`` a vector of one number."""
        self.graph = graph
        g, block = graph, max(reach, _LEAST_BLOCK)
        self.block = block
        self.length = length
        size = g.integers(block)
        blocks = g("Div", g("Add", length, g.integers(block - 1)), size)
        self.padded = g("Mul", blocks, size)
        rest = g("Sub", self.padded, length)
        self.behind = g("Add", rest, size)
        zero = g.integers(0)
        self.pads_queries = g("Concat", g.integers(0, 0, 0, 0), rest, zero, axis=0)
        self.pads_keys = g("Concat", g.integers(0, block, 0, 0), self.behind, zero, axis=0)
        self.bias = self._bias(reach, heads, mask)

    def queries(self, values: str) -> str:
        """Cut ``[batch, length, features]`` into ``[blocks, block, features]``."""
        return self._cut(self.graph("Pad", values, self.pads_queries))

    def keys(self, values: str) -> str:
        """Cut likewise, each block between its neighbours: ``[blocks, 3 block, features]``."""
        return self._neighbours(self.graph("Pad", values, self.pads_keys), 1)

    def join(self, blocks: str, features: int) -> str:
        """Return blocks of queries as ``[batch, length, features]``."""
        g = self.graph
        shape = g("Concat", g.integers(-1), self.padded, g.integers(features), axis=0)
        return g("Slice", g("Reshape", blocks, shape), g.integers(0), self.length, g.integers(1))

    def _bias(self, reach: int, heads: int, mask: str) -> str:
        """Return what is added to scores, ``[blocks, heads, block, 3 block]``.

        It is the same for all heads: ONNX Runtime 1.21 computes garbage from one for all of them.
        """
        g, block = self.graph, self.block
        far = np.abs(np.arange(3 * block) - block - np.arange(block)[:, None]) > reach
        band = g.parameter("local.band", np.where(far, _HIDDEN, 0).astype(np.float32))
        absent = g("Mul", g("Sub", g.scalar(1, np.int32), mask), g.scalar(_HIDDEN, np.int32))
        pads = g("Concat", g.integers(0, block, 0), self.behind, axis=0)
        padded = g("Pad", absent, pads, g.scalar(_HIDDEN, np.int32))
        by_block = self._neighbours(padded, 1)
        hidden = g("Cast", g("Unsqueeze", by_block, g.integers(1)), to=TensorProto.FLOAT)
        one = g("Unsqueeze", g("Add", hidden, band), g.integers(1))
        return g("Expand", one, g.integers(1, heads, 1, 1))

    def _neighbours(self, padded: str, axis: int) -> str:
        g, parts = self.graph, []
        for begin in (0, self.block, 2 * self.block):
            start = g.integers(begin)
            part = g("Slice", padded, start, g("Add", start, self.padded), g.integers(axis))
            parts.append(self._cut(part))
        return g("Concat", *parts, axis=1)

    def _cut(self, values: str) -> str:
        """Cut the second dimension into blocks, each a row of the first."""
        g = self.graph
        rest = g("Shape", values, start=2)
        return g("Reshape", values, g("Concat", g.integers(-1, self.block), rest, axis=0))
