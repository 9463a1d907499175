"""Finding the files a graph keeps tensors in, wherever in the graph they are named."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_rerank import EngineError
from edge_rerank.engines.onnx.external import external_files
from tests.conftest import tiny_graph

onnx: Any = pytest.importorskip("onnx")


def tensor(location: str | None) -> Any:
    made = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "t")
    if location is not None:
        onnx.external_data_helper.set_external_data(made, location, 0, 12)
    return made


def graph(*nodes: Any, initializers: tuple[Any, ...] = ()) -> Any:
    return onnx.helper.make_graph(list(nodes), "g", [], [], list(initializers))


def files(tmp_path: Path, model: Any) -> set[str]:
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    return external_files(tmp_path / "model.onnx")


def test_none_in_a_graph_that_holds_all(tmp_path: Path) -> None:
    assert files(tmp_path, tiny_graph()) == set()


def test_everywhere_a_tensor_can_be(tmp_path: Path) -> None:
    make, sparse = onnx.helper.make_node, onnx.SparseTensorProto()
    sparse.values.CopyFrom(tensor("in-sparse"))
    inner = graph(make("Constant", [], ["c"], value=tensor("in-inner-node")))
    inner.initializer.append(tensor("in-inner-graph"))
    nodes = (
        make("Constant", [], ["a"], value=tensor("in-attribute")),
        make("If", ["a"], ["b"], then_branch=inner),
        make("Custom", [], ["d"], many=[tensor("in-list"), tensor(None)]),
    )
    top = graph(*nodes, initializers=(tensor("../top"), tensor(None), tensor("ünï")))
    top.sparse_initializer.append(sparse)
    model = onnx.helper.make_model(top)
    function = model.functions.add()
    function.node.append(make("Constant", [], ["a"], value=tensor("in-function")))
    model.training_info.add().algorithm.initializer.append(tensor("in-training"))
    expected = {"../top", "ünï", "in-attribute", "in-list", "in-inner-node", "in-inner-graph"}
    assert files(tmp_path, model) == expected | {"in-sparse", "in-function", "in-training"}


def test_keys_and_values_in_any_order_and_more_than_once(tmp_path: Path) -> None:
    def field(number: int, *parts: bytes) -> bytes:
        body = b"".join(parts)
        # A length in two bytes where one would do is odd, and allowed.
        return bytes([number << 3 | 2, len(body) & 0x7F | 0x80, len(body) >> 7]) + body

    entries = (
        field(13, field(2, b"first"), field(1, b"location"), field(2, b"second")),
        field(13, field(1, b"length"), field(2, b"12")),
    )
    data = field(7, field(5, *entries), field(5, b"\x0d\x00\x00\x00\x00", b"\x09" + bytes(8)))
    (tmp_path / "model.onnx").write_bytes(b"\x08\x0a" + data)
    assert external_files(tmp_path / "model.onnx") == {"first", "second"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a graph",
        b"\x3a\x05\x00",  # a graph longer than the file
        b"\x3a\x02\x2a\x05" + bytes(9),  # a tensor longer than its graph
        b"\x0b\x0c",  # groups, which ONNX does not have
        b"\x08" + b"\xff" * 11,
        b"\x0d\x00",
    ],
)
def test_files_that_are_no_graphs(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(EngineError, match="cannot be read as an ONNX graph"):
        external_files(tmp_path / "model.onnx")


def test_graphs_nested_without_end(tmp_path: Path) -> None:
    def field(number: int, body: bytes) -> bytes:
        size = len(body)
        sizes = [size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]
        return bytes([number << 3 | 2, *sizes]) + body

    data = b""
    for _ in range(300):
        data = field(1, field(5, field(6, data)))
    (tmp_path / "model.onnx").write_bytes(field(7, data))
    with pytest.raises(EngineError, match="cannot be read as an ONNX graph"):
        external_files(tmp_path / "model.onnx")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "model.onnx"


@given(st.data())
def test_damaged_graphs_never_raise_anything_else(scratch: Path, data: st.DataObject) -> None:
    whole = onnx.helper.make_model(graph(initializers=(tensor("weights.bin"),)))
    damaged = bytearray(whole.SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    scratch.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    with contextlib.suppress(EngineError):
        assert all(isinstance(name, str) for name in external_files(scratch))
