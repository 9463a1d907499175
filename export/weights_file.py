"""One file for all weights, which an engine can map and which ONNX reads as external data.

The format is safetensors (a length, a JSON header, the tensors' bytes without gaps), so that any
tool can open it. It is written here, not by the safetensors library, because that one aligns
tensors to 8 bytes: here the data starts at a multiple of 64, and every tensor whose predecessors
fill whole cache lines is aligned to them; those that do not come last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS_NAME = "model.safetensors"
_ALIGNMENT = 64
_DTYPES = {"float32": "F32", "int8": "I8", "int32": "I32", "uint8": "U8"}


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a tensor's bytes lie in the file."""

    offset: int
    length: int


def write_weights(path: Path, tensors: Mapping[str, NDArray[Any]]) -> dict[str, Extent]:
    """Write tensors (float32, int8, uint8 or int32, little-endian) and say where each one lies."""
    ordered = sorted(tensors, key=lambda name: (_misaligning(tensors[name].nbytes), name))
    header: dict[str, Any] = {"__metadata__": {"format": "edge-rerank"}}
    position, extents = 0, {}
    for name in ordered:
        array = tensors[name]
        extents[name] = Extent(position, array.nbytes)
        header[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [position, position + array.nbytes],
        }
        position += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    start = 8 + len(text)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name in ordered:
            array = np.ascontiguousarray(tensors[name])
            stream.write(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
    return {name: Extent(start + one.offset, one.length) for name, one in extents.items()}


def _misaligning(size: int) -> tuple[bool, bool]:
    """Put last what leaves its successors unaligned, to a cache line or even to a float."""
    return size % _ALIGNMENT != 0, size % 4 != 0


def refer_to_weights(model: ModelProto, extents: Mapping[str, Extent]) -> None:
    """Make the initializers that bear these names read their values from the weights file."""
    for tensor in model.graph.initializer:
        if tensor.name in extents:
            _refer(tensor, extents[tensor.name])


def refer_by_content(
    model: ModelProto, tensors: Mapping[str, NDArray[Any]], extents: Mapping[str, Extent]
) -> None:
    """Do the same for a graph with names of its own: by shape and equal bytes."""
    known = {(tensors[name].shape, tensors[name].tobytes()): one for name, one in extents.items()}
    for tensor in model.graph.initializer:
        extent = known.get((tuple(tensor.dims), tensor.raw_data))
        if extent is not None and tensor.data_type == TensorProto.FLOAT:
            _refer(tensor, extent)


def _refer(tensor: TensorProto, extent: Extent) -> None:
    for member in ("raw_data", "float_data", "int32_data"):
        tensor.ClearField(member)
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    fields = {"location": WEIGHTS_NAME, "offset": extent.offset, "length": extent.length}
    for key, value in fields.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
