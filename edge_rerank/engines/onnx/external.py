"""Which files an ONNX graph keeps tensors in, read from the file itself, before it is opened.

A graph names the files that hold its large tensors, and releases of ONNX Runtime differ in which
names they follow: older ones would read any file of the machine, and from 1.24 on one that a link
leads out of the graph's folder is refused, whoever made the link. Here names that the manifest
lists, and so checks, are let through, and ONNX Runtime gets the contents.

The file is a protocol buffer. Only the path from the model down to ``TensorProto.external_data``
is followed; everything else is stepped over. Field numbers are those of ``onnx.proto``.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from edge_rerank.artifact.folder import Artifact
from edge_rerank.artifact.paths import opened
from edge_rerank.errors import EngineError, UnsafePathError, shown

# What can lie in what: message, field number, message in that field.
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 64
"""Graphs lie in attributes of nodes of graphs; far deeper than any real one does."""


def external_data(artifact: Artifact) -> dict[str, Path]:
    """Return the files that the graph keeps tensors in, by name.

    Raises UnsafePathError for one that the manifest does not list, EngineError when the file is
    not an ONNX graph.
    """
    path = artifact.file("model.onnx")
    names = sorted(external_files(path))
    for name in names:
        if name not in artifact.manifest.files:
            raise UnsafePathError(
                f"{path}: keeps weights in {shown(name)}, which the manifest does not list; "
                "export the model again"
            )
    return {name: artifact.file(name) for name in names}


@contextmanager
def lent_to(options: Any, files: Mapping[str, Path]) -> Iterator[None]:
    """Hand the files over from memory, until a session is made; it keeps copies of what it needs.

    A session that opens them itself keeps them mapped: whoever writes over the file of a loaded
    model, as updaters do, changes its scores, or ends the process with SIGBUS. Releases before 1.24
    know no other way.
    """
    lend = getattr(options, "add_external_initializers_from_files_in_memory", None)
    with ExitStack() as stack:
        if files and lend is not None:
            maps = [stack.enter_context(_mapped(path)) for path in files.values()]
            lend(list(files), maps, [len(data) for data in maps])
        yield


def external_files(path: Path) -> set[str]:
    """Return the names of the files that an ONNX graph keeps tensors in.

    Raises EngineError when the file is not an ONNX graph.
    """
    try:
        with _mapped(path) as data:
            return {str(name, "utf-8") for name in _locations(data, 0, len(data), "model", 0)}
    except (IndexError, ValueError) as error:  # ValueError: empty, or not UTF-8
        raise EngineError(f"{path}: cannot be read as an ONNX graph") from error


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with (
        opened(path) as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        yield data


def _locations(data: mmap.mmap, start: int, stop: int, kind: str, depth: int) -> Iterator[bytes]:
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    inside = _INSIDE[kind]
    for number, begin, end in _fields(data, start, stop):
        child = inside.get(number)
        if child == "entry":
            yield from _location(data, begin, end)
        elif child is not None:
            yield from _locations(data, begin, end, child, depth + 1)


def _location(data: mmap.mmap, start: int, stop: int) -> Iterator[bytes]:
    """Return the value of one key-value pair of ``external_data``, if the key is ``location``.

    Of fields that are there more than once readers take the last; here each of them counts.
    """
    fields = [(number, data[begin:end]) for number, begin, end in _fields(data, start, stop)]
    if (_KEY, b"location") in fields:
        yield from (text for number, text in fields if number == _VALUE)


def _fields(data: mmap.mmap, place: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Return number, begin and end of each field that holds bytes, between two places."""
    while place < stop:
        tag, place = _varint(data, place)
        wire = tag & 7
        if wire == _BYTES:
            size, begin = _varint(data, place)
            place = begin + size
            if place > stop:
                raise ValueError("a field goes beyond its message")
            yield tag >> 3, begin, place
        elif wire == _VARINT:
            _, place = _varint(data, place)
        elif wire in (_FIXED64, _FIXED32):
            place += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")
    if place != stop:
        raise ValueError("a field goes beyond its message")


def _varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
