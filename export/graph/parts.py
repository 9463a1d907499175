"""The pieces of an encoder layer, each in the form that runs fastest in ONNX Runtime on a CPU.

Hidden states are matrices ``[tokens, features]``, all pairs of a batch below one another: the
quantised products want matrices, and a residual sum of matrices is not drawn into
SkipLayerNormalization, which takes several times as long as the sum and the norm apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from edge_rerank.artifact.architecture import Architecture

from ..mixing import LANES, hadamard, mixed
from ..parameters import Tensors, smooth_name
from .builder import GraphBuilder

_STEPS = 253  # from a row's least value, whose level is 1, to its largest
_TINY = 1e-12  # keeps the scale of an all-zero row above zero


@dataclass(frozen=True, slots=True)
class Quantised:
    """A matrix of uint8 whose bytes stand for ``byte * scale + shift`` of their row."""

    matrix: str
    scale: str
    """``[rows, 1]``"""
    shift: str
    """``[rows, 2]``: less the zero point times the scale; and 1, which a bias is taken by."""


class Parts:
    """Makes the nodes of one model out of its parameters."""

    def __init__(self, graph: GraphBuilder, tensors: Tensors, architecture: Architecture) -> None:
        self.graph = graph
        self.tensors = tensors
        self.architecture = architecture
        self._quantised: dict[str, Quantised] = {}
        self._smoothed: dict[tuple[str, str], str] = {}
        self._mixed: dict[tuple[str, int], str] = {}

    def parameter(self, name: str) -> str:
        """Return a parameter of the model by its name."""
        return self.graph.parameter(name, self.tensors[name])

    def norm(self, values: str, name: str, epsilon: float | None = None) -> str:
        """Normalise each row, with the model's own epsilon or another one."""
        return self.graph(
            "LayerNormalization",
            values,
            self.parameter(f"{name}.weight"),
            self.parameter(f"{name}.bias"),
            axis=-1,
            epsilon=self.architecture.norm_epsilon if epsilon is None else epsilon,
        )

    def table(self, name: str, groups: int | None = None) -> str:
        """Return a table as float32 ``[rows, columns]``, or ``[rows, groups, columns / groups]``.

        Nothing here depends on the input: the session computes it when it is made.
        """
        table = self.parameter(f"{name}.weight")
        quantised = f"{name}.scale" in self.tensors
        if quantised:
            table = self.graph("Cast", table, to=TensorProto.FLOAT)
        if groups:
            table = self.graph("Reshape", table, self.graph.integers(0, groups, -1))
        if quantised:
            scale = self.parameter(f"{name}.scale")
            if groups:
                scale = self.graph("Unsqueeze", scale, self.graph.integers(2))
            table = self.graph("Mul", table, scale)
        return table

    def rows(self, name: str, ids: str) -> str:
        """Look up rows of a table, which may be int8 with a scale for each row, or 4 bits."""
        if f"{name}.levels" in self.tensors:
            return self._rows_of_four_bits(name, ids)
        found = self.graph("Gather", self.parameter(f"{name}.weight"), ids)
        if f"{name}.scale" not in self.tensors:
            return found
        scale = self.graph("Gather", self.parameter(f"{name}.scale"), ids)
        return self.graph("Mul", self.graph("Cast", found, to=TensorProto.FLOAT), scale)

    def _rows_of_four_bits(self, name: str, ids: str) -> str:
        """Look up rows whose bytes hold two codes each: every byte has its two levels in a table.

        The first words have int8 rows. Only the rows that are looked up become numbers.
        """
        graph, count = self.graph, len(self.tensors[f"{name}.frequent"])
        scale = graph("Gather", self.parameter(f"{name}.scale"), ids)
        last = graph.parameter(f"{name}.last_frequent", np.array(count - 1, np.int64))
        frequent = graph("Gather", self.parameter(f"{name}.frequent"), graph("Min", ids, last))
        frequent = graph("Mul", graph("Cast", frequent, to=TensorProto.FLOAT), scale)
        zero = graph.parameter("scalar_zero", np.array(0, np.int64))
        one = graph.parameter("scalar_one", np.array(1, np.int64))
        behind = graph("Sub", graph("Sub", ids, last), one)
        rest = self._rows_of_codes(name, graph("Max", behind, zero), scale)
        is_frequent = graph("Unsqueeze", graph("Less", behind, zero), graph.integers(1))
        return graph("Where", is_frequent, frequent, rest)

    def _rows_of_codes(self, name: str, rows: str, scale: str) -> str:
        graph, levels = self.graph, self.tensors[f"{name}.levels"].astype(np.float32)
        byte = np.arange(256)
        pairs = np.stack([levels[byte & 15], levels[byte >> 4]], axis=1)
        codes = graph("Gather", self.parameter(f"{name}.weight"), rows)
        codes = graph("Cast", codes, to=TensorProto.INT32)
        values = graph("Gather", graph.parameter(f"{name}.pairs", pairs), codes)
        groups = self.tensors[f"{name}.group"].shape[1]
        group = graph("Gather", self.parameter(f"{name}.group"), rows)
        scale = graph("Mul", graph("Cast", group, to=TensorProto.FLOAT), scale)
        scale = graph("Unsqueeze", scale, graph.integers(2))
        size = self.tensors[f"{name}.weight"].shape[1] * 2 // groups
        values = graph("Reshape", values, graph.integers(-1, groups, size))
        values = graph("Mul", values, scale)
        return graph("Reshape", values, graph.integers(-1, groups * size))

    def linear(self, values: str, name: str) -> str:
        """Multiply by a weight and add its bias, in int8 where the weight has scales."""
        values = self._mix(self._smooth(values, name), name)
        if f"{name}.scale" in self.tensors:
            return self._int8_linear(values, name)
        product = self.graph("MatMul", values, self.parameter(f"{name}.weight"))
        return self.graph("Add", product, self.parameter(f"{name}.bias"))

    def activation(self, values: str, kind: str) -> str:
        """Apply an activation function under its Hugging Face name."""
        operators: dict[str, Callable[[], str]] = {
            "gelu": lambda: self.graph.microsoft("Gelu", values),
            "gelu_new": lambda: self.graph.microsoft("FastGelu", values),
            "gelu_pytorch_tanh": lambda: self.graph.microsoft("FastGelu", values),
            "relu": lambda: self.graph("Relu", values),
            "tanh": lambda: self.graph("Tanh", values),
        }
        return operators[kind]()

    def _smooth(self, values: str, name: str) -> str:
        """Multiply by the product's smoothing vector, where it has one; products share that."""
        vector = smooth_name(name)
        if vector is None or vector not in self.tensors:
            return values
        if (values, vector) not in self._smoothed:
            self._smoothed[values, vector] = self.graph("Mul", values, self.parameter(vector))
        return self._smoothed[values, vector]

    def _mix(self, values: str, name: str) -> str:
        """Mix a product's inputs, where it has them mixed; products share that (``mixing.py``)."""
        points = mixed(self.tensors, name)
        if points == 1:
            return values
        if (values, points) not in self._mixed:
            graph, inputs = self.graph, len(self.tensors[f"{name}.weight"])
            blocks = graph.integers(-1, inputs // (points * LANES), points, LANES)
            matrix = graph.parameter(f"hadamard_{points}", hadamard(points))
            product = graph("MatMul", matrix, graph("Reshape", values, blocks))
            self._mixed[values, points] = graph("Reshape", product, graph.integers(-1, inputs))
        return self._mixed[values, points]

    def _int8_linear(self, values: str, name: str) -> str:
        """Multiply bytes, and add what the rows' zero points take away.

        ONNX Runtime's product takes one zero point for all rows. Theirs differ, so it gets none,
        and the difference (a number of the row times one of the column) comes with the bias.
        """
        quantised = self._quantise(values)
        product = self.graph.microsoft(
            "MatMulIntegerToFloat",
            quantised.matrix,
            self.parameter(f"{name}.weight"),
            self.graph.scalar(1.0),  # the scale of each row follows; this one is for all rows
            self.parameter(f"{name}.scale"),
        )
        sums = self.tensors[f"{name}.weight"].sum(0, dtype=np.int32)
        sums = sums.astype(np.float32) * self.tensors[f"{name}.scale"]
        bias = self.graph("Unsqueeze", self.parameter(f"{name}.bias"), self.graph.integers(0))
        # The session puts them together when it is made.
        table = self.graph("Concat", self.graph.parameter(f"{name}.sums", sums[None]), bias, axis=0)
        shift = self.graph("MatMul", quantised.shift, table)
        return self.graph("Add", self.graph("Mul", product, quantised.scale), shift)

    def _quantise(self, values: str) -> Quantised:
        """Quantise each row from its least to its largest value; products share the result.

        A row's own range makes a pair's score independent of its neighbours, which that of the
        whole batch would not. Zero is always a level.
        """
        if values not in self._quantised:
            zero, one = self.graph.scalar(0.0), self.graph.scalar(1.0)
            high = self.graph("Max", self._across("ReduceMax", values), zero)
            low = self.graph("Min", self._across("ReduceMin", values), zero)
            share = self.graph("Mul", self.graph("Sub", high, low), self.graph.scalar(1 / _STEPS))
            scale = self.graph("Max", share, self.graph.scalar(_TINY))
            point = self.graph("Round", self.graph("Sub", one, self.graph("Div", low, scale)))
            matrix = self.graph(
                "QuantizeLinear",
                values,
                self.graph("Reshape", scale, self.graph.integers(-1)),
                self.graph(
                    "Cast",
                    self.graph("Reshape", point, self.graph.integers(-1)),
                    to=TensorProto.UINT8,
                ),
                axis=0,
            )
            less = self.graph("Neg", self.graph("Mul", point, scale))
            ones = self.graph("Expand", one, self.graph("Shape", less))
            shift = self.graph("Concat", less, ones, axis=1)
            self._quantised[values] = Quantised(matrix, scale, shift)
        return self._quantised[values]

    def _across(self, operator: str, values: str) -> str:
        return self.graph(operator, values, axes=[-1], keepdims=1)
