"""The models that are scored: the built-in one, one of the full xsmall shape, or a user's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.emulation.cache import cached
from tools.emulation.commands import run_quietly
from tools.emulation.errors import EmulationError
from tools.emulation.machine import host
from tools.emulation.staging import REPOSITORY

BUILT_IN, XSMALL = "built-in", "xsmall"
_MADE_BY = ("bench/random_checkpoint.py", "bench/widened.py", "export")
_MAKE = """\
import sys
from pathlib import Path
from edge_rerank_bench.widened import write_widened
from edge_rerank_export import ExportOptions, export_model
into = Path(sys.argv[1])
checkpoint = write_widened(into / "checkpoint")
export_model(str(checkpoint), into / "model", ExportOptions(allow_poor_parity=True, name="xsmall"))
"""


@dataclass(frozen=True, slots=True)
class Model:
    """An artifact to score with."""

    name: str
    path: Path | None
    """None is the built-in one."""


def find_models(names: Iterable[str]) -> list[Model]:
    """Return the models of these names: ``built-in``, ``xsmall``, or an artifact's folder."""
    return [_find(name) for name in names]


def _find(name: str) -> Model:
    if name == BUILT_IN:
        return Model(name, None)
    if name == XSMALL:
        return Model(name, xsmall())
    folder = Path(name).absolute()
    if not (folder / "manifest.json").is_file():
        known = f"{BUILT_IN}, {XSMALL} or an artifact's folder"
        raise EmulationError(f"there is no model {name!r}; expected {known}")
    return Model(folder.name, folder)


def xsmall(*, refresh: bool = False) -> Path:
    """Return a small trained DeBERTa-v2 spread over the full xsmall shape and exported, made once.

    Its layers are as many and as wide as those of xsmall, with a trained model's activations.
    """
    ingredients = {"made by": _checksum(_sources()), "of": _checksum([_weights()])}
    return cached("xsmall", ingredients, _make, refresh=refresh) / "model"


def _make(into: Path) -> None:
    run_quietly(
        [*host().command, "-c", _MAKE, into],
        remedy="the exporter must be installed: pip install -e '.[test]'",
        folder=REPOSITORY,
    )


def _weights() -> Path:
    return REPOSITORY / "quantized" / "mini-deberta" / "model.safetensors"


def _sources() -> Iterator[Path]:
    for part in _MADE_BY:
        path = REPOSITORY / part
        yield from sorted(path.rglob("*.py") if path.is_dir() else [path])


def _checksum(paths: Iterable[Path]) -> str:
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()]
    return hashlib.sha256(json.dumps(sums).encode()).hexdigest()
