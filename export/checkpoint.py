"""Opening a checkpoint: a folder's files, checked before anything is computed from them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_rerank.artifact.folder import sha256_file
from edge_rerank.artifact.manifest import Architecture

from .config import read_architecture, read_config
from .errors import CheckpointError
from .scoring import Scoring, read_scoring

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_UNREASONABLE_LENGTH = 1_000_000  # tokenizers without a limit say 10**30


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint's folder whose parts are all there; the weights are read on demand."""

    folder: Path
    name: str
    """What the user called it."""
    revision: str | None
    """Resolved commit, or None for a folder."""
    config: Mapping[str, Any]
    architecture: Architecture
    weight_files: tuple[Path, ...]
    license: str | None
    scoring: Scoring

    @property
    def max_length(self) -> int:
        """Most tokens of a pair: the least of the limits that the checkpoint states."""
        limits = (
            self.architecture.max_position_embeddings,
            _stated_length(self.folder / "tokenizer_config.json"),
            self.scoring.max_length,
        )
        return min(limit for limit in limits if limit)

    def sha256(self) -> str:
        """Give one SHA-256 for all weight files, in the order of their names."""
        if len(self.weight_files) == 1:
            return sha256_file(self.weight_files[0])
        digests = "".join(sha256_file(path) for path in self.weight_files)
        return hashlib.sha256(digests.encode("ascii")).hexdigest()


def open_checkpoint(
    folder: Path, *, name: str | None = None, revision: str | None = None
) -> Checkpoint:
    """Check that a folder holds a DeBERTa-v2 cross-encoder that can be exported.

    Raises CheckpointError when a part is missing or damaged, or the model is of another kind.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder; expected a checkpoint's folder")
    config = read_config(folder)
    architecture = read_architecture(config, str(folder / "config.json"))
    files = _weight_files(folder)
    for path in files:
        _check_safetensors(path)
    if not (folder / "tokenizer.json").is_file():
        raise CheckpointError(
            f"{folder}: has no tokenizer.json. Where it has spm.model, make one with "
            "transformers: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )
    return Checkpoint(
        folder=folder,
        name=name or folder.resolve().name,
        revision=revision,
        config=config,
        architecture=architecture,
        weight_files=files,
        license=_stated_license(folder / "README.md"),
        scoring=read_scoring(folder, config),
    )


def read_weights(checkpoint: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """Read all weights as float32 arrays, under their Hugging Face names.

    Raises CheckpointError for weights that are not floating-point or not finite.
    """
    import torch
    from safetensors import safe_open

    weights = {}
    for path in checkpoint.weight_files:
        with safe_open(str(path), framework="pt") as stored:
            for key in stored.keys():  # noqa: SIM118 - not a mapping
                tensor = stored.get_tensor(key)
                if not tensor.is_floating_point():
                    continue  # buffers such as position_ids, which follow from the shape
                array = tensor.to(torch.float32).numpy()
                if not bool(torch.isfinite(tensor).all()):
                    raise CheckpointError(f"{path}: {key} holds values that are not finite")
                weights[key] = array
    return weights


def _weight_files(folder: Path) -> tuple[Path, ...]:
    if (folder / _SINGLE).is_file():
        return (folder / _SINGLE,)
    if (folder / _INDEX).is_file():
        return tuple(_shards(folder))
    pickled = sorted(
        path.name for kind in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(kind)
    )
    if pickled:
        raise CheckpointError(
            f"{folder}: the weights are pickled ({pickled[0]}), which can run code when it is "
            "opened. Convert them to safetensors first, in a place where you trust the file: "
            "model.save_pretrained(FOLDER, safe_serialization=True)"
        )
    raise CheckpointError(f"{folder}: has neither {_SINGLE} nor {_INDEX}: no weights to export")


def _shards(folder: Path) -> Iterator[Path]:
    index = folder / _INDEX
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index}: not an index of weights: {error!r}") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise CheckpointError(f"{index}: names the shard {name!r}, which is not a file's name")
        if not (folder / name).is_file():
            raise CheckpointError(f"{index}: the shard {name} is missing; download it again")
        yield folder / name


def _check_safetensors(path: Path) -> None:
    """Open the header, which checks that every tensor lies inside the file and none overlap."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a sound safetensors file ({error}); it may be truncated: "
            "download or copy it again"
        ) from error


def _stated_length(path: Path) -> int | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8")).get("model_max_length")
    except (OSError, ValueError, AttributeError):
        return None
    if isinstance(value, (int, float)) and 2 < value < _UNREASONABLE_LENGTH:
        return int(value)
    return None


def _stated_license(path: Path) -> str | None:
    """Read the licence from a model card's front matter, where there is one."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    front = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    found = re.search(r"^license:\s*([^\s#]+)", front.group(1), re.MULTILINE) if front else None
    return found.group(1).strip("'\"") if found else None
