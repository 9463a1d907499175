"""The pieces of an encoder layer, each in the form that runs fastest in ONNX Runtime on a CPU.

Hidden states are matrices ``[tokens, features]``, all pairs of a batch below one another: the
quantised products want matrices, and a residual sum of matrices is not drawn into
SkipLayerNormalization, which takes several times as long as the sum and the norm apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from edge_rerank.manifest import Architecture

from ..parameters import Tensors, smooth_name
from .builder import GraphBuilder

_INT8_STEPS = 127
_TINY = 1e-12  # keeps the scale of an all-zero row above zero
_GELU_FLOOR = 0.17  # gelu and its tanh form are never below -0.16998
_GELU_ZERO_POINT = 32

Quantised = tuple[str, str, str]
"""A matrix of uint8, its scale for each row, and its zero point, one for all."""


class Parts:
    """Makes the nodes of one model out of its parameters."""

    def __init__(self, graph: GraphBuilder, tensors: Tensors, architecture: Architecture) -> None:
        self.graph = graph
        self.tensors = tensors
        self.architecture = architecture
        self._quantised: dict[str, Quantised] = {}
        self._smoothed: dict[str, str] = {}

    def parameter(self, name: str) -> str:
        """Give a parameter of the model by its name."""
        return self.graph.parameter(name, self.tensors[name])

    def norm(self, values: str, name: str) -> str:
        """Normalise each row."""
        return self.graph(
            "LayerNormalization",
            values,
            self.parameter(f"{name}.weight"),
            self.parameter(f"{name}.bias"),
            axis=-1,
            epsilon=self.architecture.layer_norm_eps,
        )

    def table(self, name: str, groups: int | None = None) -> str:
        """Give a table as float32 ``[rows, columns]``, or ``[rows, groups, columns / groups]``.

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
        """Look up rows of a table, which may be int8 with a scale for each row."""
        found = self.graph("Gather", self.parameter(f"{name}.weight"), ids)
        if f"{name}.scale" not in self.tensors:
            return found
        scale = self.graph("Gather", self.parameter(f"{name}.scale"), ids)
        return self.graph("Mul", self.graph("Cast", found, to=TensorProto.FLOAT), scale)

    def linear(self, values: str, name: str) -> str:
        """Multiply by a weight and add its bias, in int8 where the weight has scales."""
        values = self._smooth(values, name)
        if f"{name}.scale" in self.tensors:
            product = self._int8_product(values, name)
        else:
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
        if values not in self._smoothed:
            self._smoothed[values] = self.graph("Mul", values, self.parameter(vector))
        return self._smoothed[values]

    def _int8_product(self, values: str, name: str) -> str:
        matrix, scale, zero_point = self._quantise(values, activated=name.endswith("ffn.down"))
        product = self.graph.microsoft(
            "MatMulIntegerToFloat",
            matrix,
            self.parameter(f"{name}.weight"),
            self.graph.scalar(1.0),  # the scale of each row follows; this one is for all rows
            self.parameter(f"{name}.scale"),
            zero_point,
        )
        return self.graph("Mul", product, scale)

    def _quantise(self, values: str, *, activated: bool) -> Quantised:
        """Quantise each row by a scale of its own; products of the same matrix share the result.

        A row's own scale makes a pair's score independent of its neighbours, which a scale of
        the whole batch would not.
        """
        if values not in self._quantised:
            scale = self._activated_scale(values) if activated else self._symmetric_scale(values)
            point = 128
            if activated:
                point = 0 if self.architecture.hidden_act == "relu" else _GELU_ZERO_POINT
            vector = self.graph("Reshape", scale, self.graph.integers(-1))
            points = self.graph(
                "Expand", self.graph.scalar(point, np.uint8), self.graph("Shape", vector)
            )
            matrix = self.graph("QuantizeLinear", values, vector, points, axis=0)
            self._quantised[values] = (matrix, scale, self.graph.scalar(point, np.uint8))
        return self._quantised[values]

    def _symmetric_scale(self, values: str) -> str:
        peak = self._row_maximum(self.graph("Abs", values))
        scale = self.graph("Mul", peak, self.graph.scalar(1 / _INT8_STEPS))
        return self.graph("Max", scale, self.graph.scalar(_TINY))

    def _activated_scale(self, values: str) -> str:
        """Give the scale of what left the activation function, which has a known lower bound.

        Nearly all of the range is on one side, so nearly all levels go there: the zero point
        leaves just enough for the bound, and the scale never falls so low that the bound would
        be cut off.
        """
        relu = self.architecture.hidden_act == "relu"
        steps = 255 if relu else 255 - _GELU_ZERO_POINT
        least = _TINY if relu else _GELU_FLOOR / _GELU_ZERO_POINT
        scale = self.graph("Mul", self._row_maximum(values), self.graph.scalar(1 / steps))
        return self.graph("Max", scale, self.graph.scalar(least))

    def _row_maximum(self, values: str) -> str:
        return self.graph("ReduceMax", values, axes=[-1], keepdims=1)
