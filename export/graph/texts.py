"""The two texts of each pair, of a model that reads them apart: masks, positions, rows and means.

Both lie in one sequence, the first before the second, told apart by their tokens' types.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from .builder import GraphBuilder

_HIDDEN = -1e9  # a score that no softmax feels
_LEAST_LENGTH = 1e-8  # of what a cosine divides by, as in torch


class Texts:
    """Made once for a batch; ``mask`` and ``types`` are the graph's inputs."""

    def __init__(self, graph: GraphBuilder, mask: str, types: str, heads: int, size: int) -> None:
        """``heads`` are those of the attention, ``size`` the width of hidden states."""
        g = self.graph = graph
        one = g.integers(1)
        is_second = g("Mul", types, mask)
        is_first = g("Sub", mask, is_second)
        lengths = g("ReduceSum", is_first, one, keepdims=1)
        self.longest = g("Max", g("Reshape", g("ReduceMax", lengths, keepdims=0), one), one)
        """Tokens of the batch's longest first text, a vector of one number; at least 1."""
        self.second = g("Cast", is_second, to=TensorProto.INT32)
        """Which tokens are of the second text, int32 ``[batch, length]``."""
        self.length = g("Shape", mask, start=1, end=2)
        steps = (g.scalar(0, np.int64), g("Squeeze", self.length), g.scalar(1, np.int64))
        self.positions = g("Sub", g("Range", *steps), g("Mul", types, lengths))
        """Of each token within its own text, int64 ``[batch, length]``."""
        self.bias = self._bias(mask, types, heads)
        self.by_first = g(
            "Concat", g("Shape", mask, start=0, end=1), self.longest, g.integers(size), axis=0
        )
        """Shape of the rows of :meth:`first_rows`."""
        self._weights = [g("Cast", text, to=TensorProto.FLOAT) for text in (is_first, is_second)]
        self._counts = [g("ReduceSum", text, one, keepdims=1) for text in self._weights]
        found = g("Min", self._counts[1], g.scalar(1.0))
        self.has_second = g("Unsqueeze", found, one)
        """Whether there is anything to look at: 1 or 0, ``[batch, 1, 1]``."""

    def first_rows(self, by_token: str) -> str:
        """Return as many rows of each pair as the longest first text has, as a matrix."""
        g = self.graph
        rows = g("Slice", by_token, g.integers(0), self.longest, g.integers(1))
        return g(
            "Reshape", rows, g("Concat", g.integers(-1), g("Shape", by_token, start=2), axis=0)
        )

    def mean_of_first(self, rows: str) -> str:
        """Return the mean of the first text's rows of a matrix such as :meth:`first_rows` gives.

        Rows of zeros are added, so that a mean is taken over as many numbers whatever the company.
        """
        g = self.graph
        none = g("Sub", self.length, self.longest)
        pads = g("Concat", g.integers(0, 0, 0, 0), none, g.integers(0), axis=0)
        return self._mean(g("Pad", g("Reshape", rows, self.by_first), pads), 0)

    def cosine(self, by_token: str) -> str:
        """Return that of the means of both texts' rows, ``[batch, 1]``."""
        g, axis = self.graph, self.graph.integers(1)
        query, passage = (g("Unsqueeze", self._mean(by_token, text), axis) for text in (0, 1))

        def dot(left: str, right: str) -> str:
            return g("Squeeze", g.microsoft("FusedMatMul", left, right, transB=1), axis)

        least = g.scalar(_LEAST_LENGTH)
        lengths = [g("Max", g("Sqrt", dot(one, one)), least) for one in (query, passage)]
        return g("Div", dot(query, passage), g("Mul", *lengths))

    def _mean(self, by_token: str, text: int) -> str:
        """Return the mean of one text's rows, as a product with its mask; of none, 0."""
        g, axis = self.graph, self.graph.integers(1)
        weights = g("Unsqueeze", self._weights[text], axis)
        total = g("Squeeze", g("MatMul", weights, by_token), axis)
        return g("Div", total, g("Max", self._counts[text], g.scalar(1.0)))

    def _bias(self, mask: str, types: str, heads: int) -> str:
        """Return what hides other texts' tokens, and padding: ``[batch, heads, length, length]``.

        It is the same for all heads: ONNX Runtime 1.21 computes garbage from one for all of them.
        """
        g = self.graph
        rows, columns = (g("Unsqueeze", types, g.integers(axis)) for axis in (2, 1))
        real = g("Cast", g("Unsqueeze", mask, g.integers(1)), to=TensorProto.BOOL)
        seen = g("And", g("Equal", rows, columns), real)
        bias = g("Where", seen, g.scalar(0.0), g.scalar(_HIDDEN))
        return g("Expand", g("Unsqueeze", bias, g.integers(1)), g.integers(1, heads, 1, 1))
