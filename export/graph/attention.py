"""Attention: disentangled without index tensors, by rotary positions, to all keys or near ones.

The relative terms of query ``i`` and key ``j`` depend on ``i - j``. With the table's rows in
the order of the distance, the product of all queries and the table holds, in row ``i``, the
wanted entries side by side, each row shifted by one against the next. Read row by row as one
vector, an entry lies at ``i * width + (length - 1 - i) + j = i * (width - 1) + (length - 1 + j)``:
seen as rows of ``width - 1``, the shift is gone, and a slice is all that is left to do. Exported
graphs gather each entry by an expanded int64 index instead, which costs as much as the product.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto

from .local import LocalBlocks
from .parts import Parts
from .texts import Texts


class Attention:
    """Makes the attention of every layer; what depends on the length alone is made once."""

    def __init__(
        self, parts: Parts, ids: str, mask: str, max_length: int, texts: Texts | None = None
    ) -> None:
        """``texts`` are those of each pair, where tokens look at their own text alone."""
        self.parts = parts
        self.graph = parts.graph
        architecture = parts.architecture
        self.scale = 1 / math.sqrt(architecture.head_size * architecture.score_terms)
        self.mask = self.graph("Cast", mask, to=TensorProto.INT32)
        batch = self.graph("Shape", ids, start=0, end=1)
        self.length = self.graph("Shape", ids, start=1, end=2)
        g = self.graph
        self.by_token = g(
            "Concat", batch, self.length, g.integers(architecture.hidden_size), axis=0
        )
        self.by_head = g(
            "Concat",
            batch,
            self.length,
            g.integers(architecture.heads, architecture.head_size),
            axis=0,
        )
        self.terms = architecture.relative_terms
        if self.terms:
            self._prepare_relative(max_length)
        if architecture.positions.rotary:
            self.by_mask = g(
                "Concat", batch, self.length, g.integers(architecture.heads, 1), axis=0
            )
            absent = g("Cast", g("Sub", self.mask, g.scalar(1, np.int32)), to=TensorProto.FLOAT)
            column = g("Unsqueeze", g("Mul", absent, g.scalar(1e9)), g.integers(2, 3))
            self.mask_of_keys = g("Expand", column, self.by_mask)
            self.angles = {local: self._angles(max_length, local=local) for local in (False, True)}
        self.texts = texts
        if local := architecture.local_attention:
            self.blocks = LocalBlocks(g, local.reach, architecture.heads, self.mask, self.length)

    def __call__(self, hidden: str, layer: int) -> str:
        """Return the context of every token, ``[tokens, features]``."""
        query, key, value = self._project(hidden, hidden, layer)
        if self.parts.architecture.positions.rotary:
            query = self._turn(query, layer)
        if self.parts.architecture.is_local(layer):
            return self._attend_near(query, key, value)
        if not self.terms and self.parts.architecture.positions.rotary:
            return self._attend_far(query, key, value)
        if self.texts:
            query, key, value = (
                self.graph("Reshape", one, self.by_token) for one in (query, key, value)
            )
            return self._heads_together(query, key, value, "", self.texts.bias)
        bias = self._relative_bias(query, key, layer)
        return self._attend(self.graph("Reshape", query, self.by_token), key, value, bias)

    def across(self, rows: str, hidden: str, layer: int) -> str:
        """Return what the first text's rows find in the second text: ``[tokens, features]``.

        ``rows`` are matrices of as many tokens a pair as the batch's longest first text has, and
        ``hidden`` those of all tokens.
        """
        assert self.texts
        g, size = self.graph, self.parts.architecture.hidden_size
        query, key, value = self._project(rows, hidden, layer)
        query = g("Reshape", query, self.texts.by_first)
        key, value = (g("Reshape", one, self.by_token) for one in (key, value))
        context = self._heads_together(query, key, value, self.texts.second, "")
        by_first = g("Reshape", context, self.texts.by_first)
        return g("Reshape", g("Mul", by_first, self.texts.has_second), g.integers(-1, size))

    def of_first_tokens(self, first: str, hidden: str, layer: int) -> str:
        """Return the context of each pair's first token alone, ``[batch, features]``.

        ``first`` holds the first rows of ``hidden``, one a pair.
        """
        query, key, value = self._project(first, hidden, layer)
        bias = self._first_bias(query, key, layer)
        one = self.graph("Unsqueeze", query, self.graph.integers(1))
        local = self.parts.architecture.local_attention
        seen = local.reach + 1 if local and self.parts.architecture.is_local(layer) else None
        return self._attend(one, key, value, bias, seen=seen)

    def _project(self, queries: str, hidden: str, layer: int) -> tuple[str, str, str]:
        name = f"layers.{layer}.attention"
        key = self.parts.linear(hidden, f"{name}.key")
        return (
            self.parts.linear(queries, f"{name}.query"),
            self._turn(key, layer) if self.parts.architecture.positions.rotary else key,
            self.parts.linear(hidden, f"{name}.value"),
        )

    def _attend(self, query: str, key: str, value: str, bias: str, seen: int | None = None) -> str:
        """Attend to all keys, or to those of the first ``seen`` tokens."""
        g, mask = self.graph, self.mask
        key, value = (g("Reshape", one, self.by_token) for one in (key, value))
        if seen is not None:
            ends = (g.integers(0), g.integers(seen), g.integers(1))
            key, value, mask = (g("Slice", one, *ends) for one in (key, value, mask))
        return self._heads_together(query, key, value, mask, bias)

    def _attend_far(self, query: str, key: str, value: str) -> str:
        """Attend to all keys without holding all scores.

        ONNX Runtime does so only where it is given no mask. Here the mask is one more input of each
        head: 1 for all queries, and for keys that pad a pair a number that no softmax feels. Values
        get as wide, because older releases take heads of two sizes for heads of one.
        """
        g, size = self.graph, self.parts.architecture.head_size
        ones = g("Expand", g.scalar(1.0), self.by_mask)
        wide = self._heads_together(
            self._widened(query, ones),
            self._widened(key, self.mask_of_keys),
            self._widened(value, ones),
            "",
            "",
            width=size + 1,
        )
        heads = g("Reshape", wide, g.integers(-1, self.parts.architecture.heads, size + 1))
        cut = g("Slice", heads, g.integers(0), g.integers(size), g.integers(2))
        return g("Reshape", cut, g.integers(-1, self.parts.architecture.hidden_size))

    def _widened(self, values: str, column: str) -> str:
        g = self.graph
        wide = g("Concat", g("Reshape", values, self.by_head), column, axis=3)
        return g("Reshape", wide, g.integers(0, 0, -1))

    def _attend_near(self, query: str, key: str, value: str) -> str:
        g, blocks = self.graph, self.blocks
        query, key, value = (g("Reshape", one, self.by_token) for one in (query, key, value))
        size = self.parts.architecture.hidden_size
        context = self._heads_together(
            blocks.queries(query), blocks.keys(key), blocks.keys(value), "", blocks.bias
        )
        by_block = g("Reshape", context, g.integers(-1, blocks.block, size))
        return g("Reshape", blocks.join(by_block, size), g.integers(-1, size))

    def _heads_together(
        self, query: str, key: str, value: str, mask: str, bias: str, width: int | None = None
    ) -> str:
        """Return ``[tokens, features]``; ``width`` is that of a head, if not the model's."""
        architecture = self.parts.architecture
        size = architecture.heads * (width or architecture.head_size)
        context = self.graph.microsoft(
            "MultiHeadAttention",
            query,
            key,
            value,
            "",
            mask,
            bias,
            num_heads=architecture.heads,
            scale=self.scale,
        )
        return self.graph("Reshape", context, self.graph.integers(-1, size))

    def _angles(self, max_length: int, *, local: bool) -> tuple[str, str]:
        """Return tables of cosines and sines, which the session computes when it is made."""
        g, name = self.graph, "rotary.local.frequencies" if local else "rotary.frequencies"
        if name not in self.parts.tensors:
            name = "rotary.frequencies"
        positions = g.parameter(
            "rotary.positions", np.arange(max_length, dtype=np.float32)[:, None]
        )
        angles = g("Mul", positions, self.parts.parameter(name))
        return g("Cos", angles), g("Sin", angles)

    def _turn(self, values: str, layer: int) -> str:
        """Turn queries or keys by their positions; returns ``[batch, length, features]``."""
        tables = self.angles[self.parts.architecture.is_local(layer)]
        by_token = self.graph("Reshape", values, self.by_token)
        return self.graph.microsoft("RotaryEmbedding", by_token, self.graph.integers(0), *tables)

    def _prepare_relative(self, max_length: int) -> None:
        """Cut what this batch's length needs out of the table's order, and name the shapes."""
        g = self.graph
        one = g.integers(1)
        start = g("Sub", g.integers(max_length), self.length)
        end = g("Add", g.integers(max_length), self.length)
        rows = self.parts.tensors["relative.bucket"]
        # Seen from a key, the distance to the queries runs the other way.
        reverse = np.append(rows[-2::-1], rows[0])
        self.rows = {
            "key": g("Slice", self.parts.parameter("relative.bucket"), start, end, g.integers(0)),
            "query": g(
                "Slice", g.parameter("relative.reverse", reverse), start, end, g.integers(0)
            ),
        }
        # A first token's keys all lie at or behind it: the second half of the order.
        nearest = g.integers(max_length - 1)
        furthest = g("Add", nearest, self.length)
        bucket = self.parts.parameter("relative.bucket")
        self.first_rows = g("Slice", bucket, nearest, furthest, g.integers(0))
        double = g("Add", self.length, self.length)
        width = g("Sub", double, one)
        self.first = g("Sub", self.length, one)
        self.last = g("Add", self.first, g("Mul", self.length, width))
        self.skewed = g("Concat", g.integers(0, 0), self.length, width, axis=0)

    def _relative_bias(self, query: str, key: str, layer: int) -> str:
        """Return the sum of the relative terms, ``[batch, heads, length, length]``, or ''."""
        bias = ""
        if "c2p" in self.terms:
            bias = self._term(query, layer, "key")
        if "p2c" in self.terms:
            # One row for each key: it has to be turned to have one for each query.
            by_key = self._term(key, layer, "query")
            by_query = self.graph("Transpose", by_key, perm=[0, 1, 3, 2])
            bias = self.graph("Add", bias, by_query) if bias else by_query
        return bias

    def _first_bias(self, query: str, key: str, layer: int) -> str:
        """Return the same for the first tokens alone, ``[batch, heads, 1, length]``, or ''.

        All of them see the same distances, so nothing is shifted and nothing is left over.
        """
        g, architecture, bias = self.graph, self.parts.architecture, ""
        if "c2p" in self.terms:
            heads = g(
                "Reshape", query, g.integers(0, architecture.heads, 1, architecture.head_size)
            )
            table = g("Gather", self._table(layer, "key"), self.first_rows, axis=1)
            bias = g.microsoft("FusedMatMul", heads, table, transB=1, alpha=self.scale)
        if "p2c" in self.terms:
            table = g("Gather", self._table(layer, "query"), self.first_rows, axis=1)
            products = g("Mul", self._heads(key), table)
            sums = g("ReduceSum", products, g.integers(-1), keepdims=0)
            scaled = g("Mul", g("Unsqueeze", sums, g.integers(2)), g.scalar(self.scale))
            bias = g("Add", bias, scaled) if bias else scaled
        return bias

    def _heads(self, content: str) -> str:
        return self.graph(
            "Transpose", self.graph("Reshape", content, self.by_head), perm=[0, 2, 1, 3]
        )

    def _term(self, content: str, layer: int, kind: str) -> str:
        g = self.graph
        heads = self._heads(content)
        table = g("Gather", self._table(layer, kind), self.rows[kind], axis=1)
        product = g.microsoft("FusedMatMul", heads, table, transB=1, alpha=self.scale)
        flat = g("Reshape", product, g.integers(0, 0, -1))
        cut = g("Slice", flat, self.first, self.last, g.integers(2))
        return g("Slice", g("Reshape", cut, self.skewed), g.integers(0), self.length, g.integers(3))

    def _table(self, layer: int, kind: str) -> str:
        """Return a relative-position table as float32 ``[heads, rows, head size]``."""
        heads = self.parts.architecture.heads
        table = self.parts.table(f"layers.{layer}.relative.{kind}", heads)
        return self.graph("Transpose", table, perm=[1, 0, 2])
