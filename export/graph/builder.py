"""A few lines that make ONNX graphs readable to write: operators as calls, values as strings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from edge_rerank._version import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 17
IR_VERSION = 8  # the oldest that goes with opset 17, so that older runtimes can read the file
MICROSOFT = "com.microsoft"


class GraphBuilder:
    """Collects nodes and initializers; every value is known by its name."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}

    def __call__(
        self, operator: str, *inputs: str, domain: str = "", name: str | None = None, **attrs: Any
    ) -> str:
        """Add a node with one output and give the output's name; '' is an input left out."""
        output = name or f"{operator}_{len(self._nodes)}"
        node = helper.make_node(operator, list(inputs), [output], output, domain=domain, **attrs)
        self._nodes.append(node)
        return output

    def halves(self, values: str) -> tuple[str, str]:
        """Cut the last dimension into two halves."""
        names = f"Split_{len(self._nodes)}_0", f"Split_{len(self._nodes)}_1"
        self._nodes.append(helper.make_node("Split", [values], names, names[0], axis=-1))
        return names

    def microsoft(self, operator: str, *inputs: str, **attrs: Any) -> str:
        """Add a node of ONNX Runtime's own operator set."""
        return self(operator, *inputs, domain=MICROSOFT, **attrs)

    def parameter(self, name: str, values: NDArray[Any]) -> str:
        """Add a parameter of the model under its own name."""
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(values, name)
        return name

    def integers(self, *values: int) -> str:
        """Return a constant int64 vector, such as axes or a shape; equal ones are shared."""
        return self.parameter(
            "vector_" + "_".join(str(value) for value in values), np.array(values, np.int64)
        )

    def scalar(self, value: float | int, dtype: type[np.generic] = np.float32) -> str:
        """Return a constant without dimensions; equal ones are shared."""
        array = np.array(value, dtype)
        return self.parameter(f"scalar_{array.dtype.name}_{value!r}", array)

    def model(
        self, name: str, inputs: Iterable[ValueInfoProto], outputs: Iterable[ValueInfoProto]
    ) -> ModelProto:
        """Put the nodes together as a model."""
        graph = helper.make_graph(
            self._nodes, name, list(inputs), list(outputs), list(self._initializers.values())
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=IR_VERSION,
            producer_name="edge-rerank",
            producer_version=__version__,
        )
