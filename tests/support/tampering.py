"""Copies of a small trained model, spoilt on purpose."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_rerank.artifact.folder import MANIFEST_NAME, load_artifact, write_manifest
from edge_rerank.artifact.seal import sealed
from tests.support.models import DEBERTA

TYPES: dict[str, Any] = {"F32": np.float32, "I8": np.int8, "I32": np.int32}
Change = Callable[[NDArray[Any]], NDArray[Any]]


def copy_of_model(folder: Path) -> Path:
    return Path(shutil.copytree(DEBERTA, folder))


def record_again(folder: Path, **changes: Any) -> None:
    """Write sums that fit what lies there now: nothing but the model itself can tell."""
    write_manifest(folder, replace(load_artifact(DEBERTA).manifest, **changes))


def change_tensor(folder: Path, name: str, change: Change) -> None:
    """Overwrite a tensor of model.safetensors where it lies."""
    value = _read(folder, name)
    _write(folder, name, change(value).astype(value.dtype))


def swap_tensors(folder: Path, one: str, other: str) -> None:
    first, second = _read(folder, one), _read(folder, other)
    assert first.shape == second.shape
    _write(folder, one, second)
    _write(folder, other, first)


def edit_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file; a manifest gets the checksum that fits."""
    value = json.loads(path.read_text("utf-8"))
    change(value)
    if path.name == MANIFEST_NAME:
        value = sealed(value)
    path.write_text(json.dumps(value, indent=2), "utf-8")


def _extent(folder: Path, name: str) -> tuple[Any, int, int]:
    with (folder / "model.safetensors").open("rb") as stream:
        size = struct.unpack("<Q", stream.read(8))[0]
        entry = json.loads(stream.read(size))[name]
    start, stop = entry["data_offsets"]
    return entry, 8 + size + start, stop - start


def _read(folder: Path, name: str) -> NDArray[Any]:
    entry, start, size = _extent(folder, name)
    data = (folder / "model.safetensors").read_bytes()[start : start + size]
    return np.frombuffer(data, TYPES[entry["dtype"]]).reshape(entry["shape"])


def _write(folder: Path, name: str, value: NDArray[Any]) -> None:
    _, start, size = _extent(folder, name)
    data = value.tobytes()
    assert len(data) == size
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.seek(start)
        stream.write(data)
