"""A head that sentence-transformers keeps as modules of its own, behind the transformer.

``modules.json`` names them; each lies in a folder of its own, with a ``config.json`` and its
weights. Pooling comes first, then products and norms; the last one is a product of one output.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from edge_rerank.artifact.architecture import DenseStep, Head, HeadStep, NormStep

from .config import Config
from .errors import CheckpointError
from .weights import read_weights, weight_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "modules.json"
KINDS = ("Transformer", "Pooling", "Dense", "LayerNorm")
FILES = tuple(
    f"*_{kind}/{name}" for kind in KINDS[1:] for name in ("config.json", "model.safetensors")
)
"""Patterns of what lies in the folders, under the names that sentence-transformers gives them."""

_ACTIVATIONS = {"GELU": "gelu", "ReLU": "relu", "Tanh": "tanh", "Identity": None}
_POOLING = {"cls": "first", "mean": "mean"}
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_WITHIN, _LAST = "sentence_embedding", "scores"
_NORM_EPSILON = 1e-5  # torch's default, which LayerNorm takes
_ORDER = (
    "edge-rerank exports a Transformer with a classification head of its own, or followed by "
    "Pooling, any number of Dense and LayerNorm, and a Dense of one output"
)


@dataclass(frozen=True, slots=True)
class HeadModules:
    """The modules behind the transformer."""

    head: Head
    inputs: int
    """Width of what is pooled."""
    sources: tuple[str, ...]
    """Names of the steps' weights, as :meth:`weights` gives them."""
    classifier: str
    unbiased: frozenset[str]
    """Which steps have no bias: ``head.N``, ``classifier``."""
    files_of: Mapping[str, tuple[Path, ...]]
    """The files of weights, each a sound one, under the beginning of the weights' names."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(path for files in self.files_of.values() for path in files)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Read all weights."""
        return {
            f"{name}.{key}": weight
            for name, files in self.files_of.items()
            for key, weight in read_weights(files).items()
        }


@dataclass(frozen=True, slots=True)
class _Module:
    kind: str
    number: int
    folder: Path
    config: Config


def read_modules(folder: Path) -> HeadModules | None:
    """Read what follows the transformer; None where nothing does.

    Raises CheckpointError for a module, or a setting of one, that is not known.
    """
    path = folder / FILE
    entries = _entries(path)
    kinds = [kind for kind, _ in entries]
    if kinds == ["Transformer"]:
        return None
    order = kinds[:2] == ["Transformer", "Pooling"] and kinds[-1] == "Dense"
    if not order or not {*kinds[2:]} <= {"Dense", "LayerNorm"}:
        raise CheckpointError(f"{path}: the model consists of {', '.join(kinds)}; {_ORDER}")
    modules = [
        _Module(kind, number, folder / place, _config(folder / place / "config.json"))
        for number, (kind, place) in enumerate(entries)
        if number
    ]
    inputs, pooling = _pooling(modules[0].config)
    steps, width, unbiased = [], inputs, set()
    for number, module in enumerate(modules[1:]):
        last = module is modules[-1]
        step = _step(module, width, last=last)
        steps.append(step)
        if isinstance(step, DenseStep):
            width = step.outputs
            if not module.config.members.get("bias", True):
                unbiased.add("classifier" if last else f"head.{number}")
    names = [_weights_name(module) for module in modules[1:]]
    return HeadModules(
        head=Head("steps", tuple(steps[:-1]), pooling),
        inputs=inputs,
        sources=tuple(names[:-1]),
        classifier=names[-1],
        unbiased=frozenset(unbiased),
        files_of={
            f"modules.{module.number}": weight_files(module.folder) for module in modules[1:]
        },
    )


def _entries(path: Path) -> list[tuple[str, str]]:
    """Return kind and folder of each module, in their order."""
    return [_entry(path, value) for value in _read(path, list)]


def _entry(path: Path, value: Any) -> tuple[str, str]:
    entry = value if isinstance(value, dict) else {"type": value}
    package, _, kind = str(entry.get("type")).rpartition(".")
    place = entry.get("path", "")
    if kind not in KINDS or not f"{package}.".startswith("sentence_transformers."):
        raise CheckpointError(
            f"{path}: a module is {entry.get('type')!r}; known are "
            f"{', '.join(KINDS)} of sentence-transformers; {_ORDER}"
        )
    inside = isinstance(place, str) and ".." not in PurePosixPath(place).parts
    if not inside or Path(place).is_absolute() or (kind == "Transformer") != (place == ""):
        raise CheckpointError(
            f"{path}: the {kind} lies in {place!r}; expected the checkpoint's folder itself for "
            "the Transformer, and folders within it for the others"
        )
    return kind, str(place)


def _pooling(config: Config) -> tuple[int, str]:
    members = config.members
    _refuse_unknown(
        config,
        ("embedding_dimension", "word_embedding_dimension", "pooling_mode", "include_prompt"),
        tuple(_POOLING_FLAGS),
    )
    mode = members.get("pooling_mode")
    if mode is None:
        mode = [name for flag, name in _POOLING_FLAGS.items() if members.get(flag)] or "mean"
    if isinstance(mode, list) and len(mode) == 1:
        (mode,) = mode
    if mode not in tuple(_POOLING):
        _refuse(config, "pooling_mode", mode, f"known are {', '.join(_POOLING)}")
    if not members.get("include_prompt", True):
        _refuse(config, "include_prompt", False, "known is true")
    dimension = members.get("embedding_dimension", members.get("word_embedding_dimension"))
    width = Config({"embedding_dimension": dimension}, config.where).whole("embedding_dimension", 0)
    return width, _POOLING[str(mode)]


def _step(module: _Module, width: int, *, last: bool) -> HeadStep:
    config, members = module.config, module.config.members
    if module.kind == "LayerNorm":
        _refuse_unknown(config, ("dimension",))
        _check_width(config, "dimension", width)
        return NormStep(_NORM_EPSILON)
    _refuse_unknown(
        config,
        ("in_features", "out_features", "bias", "activation_function"),
        ("module_input_name", "module_output_name"),
    )
    _check_width(config, "in_features", width)
    outputs, activation = config.whole("out_features", 0), _activation(config, last=last)
    if last and outputs != 1:
        _refuse(config, "out_features", outputs, "a reranker gives one logit")
    reads = members.get("module_input_name") or _WITHIN
    gives = members.get("module_output_name") or reads
    if reads != _WITHIN:
        _refuse(config, "module_input_name", reads, f"known is {_WITHIN!r}")
    if gives != (_LAST if last else _WITHIN):
        expected = f"known is {_LAST!r} for the last module, and {_WITHIN!r} for others"
        _refuse(config, "module_output_name", gives, expected)
    return DenseStep(outputs, activation)


def _activation(config: Config, *, last: bool) -> str | None:
    """The default is sentence-transformers'."""
    path = str(config.members.get("activation_function", "torch.nn.Tanh"))
    package, _, name = path.rpartition(".")
    known = ("Identity",) if last else tuple(_ACTIVATIONS)
    if name not in known or not f"{package}.".startswith("torch.nn."):
        names = ", ".join(f"torch.nn.{one}" for one in known)
        of = "; of the last module, whose output is the logit" if last else ""
        _refuse(config, "activation_function", path, f"known are {names}{of}")
    return _ACTIVATIONS[name]


def _check_width(config: Config, name: str, width: int) -> None:
    found = config.whole(name, 0)
    if found != width:
        _refuse(config, name, found, f"what it reads is {width} wide")


def _weights_name(module: _Module) -> str:
    return f"modules.{module.number}.{'norm' if module.kind == 'LayerNorm' else 'linear'}"


def _refuse_unknown(config: Config, *known: tuple[str, ...]) -> None:
    names = {name for some in known for name in some}
    for name, value in config.members.items():
        if name not in names and value not in (None, False, "", [], {}):
            _refuse(config, name, value, "edge-rerank does not know it")


def _refuse(config: Config, name: str, value: object, reason: str) -> None:
    raise CheckpointError(f"{config.where}: {name} is {value!r}; {reason}")


def _config(path: Path) -> Config:
    if not path.is_file():
        raise CheckpointError(f"{path}: is missing; copy the checkpoint again, its modules too")
    return Config(_read(path, dict), str(path))


def _read(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(value, kind):
        raise CheckpointError(f"{path}: holds {type(value).__name__}, expected {kind.__name__}")
    return value
