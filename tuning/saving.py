"""Writing the tuned weights as a checkpoint of the same form as the one that was tuned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from edge_rerank_export.modules import FILES as MODULE_FILES
from edge_rerank_export.scoring import FILES as SCORING_FILES
from edge_rerank_export.tokenizer import FILES as TOKENIZER_FILES
from edge_rerank_export.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_rerank_export.checkpoint import Checkpoint

_WEIGHTS = "model.safetensors"
_COPIED = (*TOKENIZER_FILES, *SCORING_FILES)
_DTYPES = ("torch_dtype", "dtype")


def write_checkpoint(checkpoint: Checkpoint, tuned: Mapping[str, Tensor], folder: Path) -> None:
    """Write a folder that the exporter, transformers and sentence-transformers can load.

    ``tuned`` are the weights that were trained, by the names of the model in torch; the others are
    the checkpoint's own.
    """
    folder.mkdir()
    weights = {
        name: torch.from_numpy(value)
        for name, value in read_weights(checkpoint.weight_files).items()
    }
    left = dict(tuned)
    _write_modules(checkpoint, left, folder)
    _put_one_back(checkpoint, left, weights)
    encoder = checkpoint.layout.names.encoder
    whole = any(name.startswith(encoder) for name in weights)
    for name, value in left.items():
        own = name if whole or checkpoint.layout.modules is None else name.removeprefix(encoder)
        own = checkpoint.layout.in_checkpoint(own)
        if own not in weights:
            raise AssertionError(f"{own} is no weight of {checkpoint.folder}")
        weights[own] = value
    tensors = {name: value.contiguous() for name, value in weights.items()}
    save_file(tensors, str(folder / _WEIGHTS), metadata={"format": "pt"})
    _write_settings(checkpoint, folder)
    for path in folder.rglob("*.safetensors"):
        # Which safetensors writes for its owner alone, whatever the umask allows.
        shutil.copymode(folder / "config.json", path)


def _put_one_back(
    checkpoint: Checkpoint, tuned: dict[str, Tensor], weights: dict[str, Tensor]
) -> None:
    """Share out what the difference of two outputs has learned, half to each of them."""
    relevant = checkpoint.layout.relevant
    if relevant is None:
        return
    for part in ("weight", "bias"):
        name = f"{checkpoint.layout.names.classifier}.{part}"
        before = weights[name]
        half = (tuned.pop(name)[0] - (before[relevant] - before[1 - relevant])) / 2
        weights[name] = before.clone()
        weights[name][relevant] += half
        weights[name][1 - relevant] -= half


def _write_modules(checkpoint: Checkpoint, tuned: dict[str, Tensor], folder: Path) -> None:
    """Write the folders of a head that is kept as modules; takes its weights out of ``tuned``."""
    modules = checkpoint.layout.modules
    if modules is None:
        return
    for pattern in MODULE_FILES:
        for path in checkpoint.folder.glob(pattern):
            if path.name != _WEIGHTS:
                target = folder / path.relative_to(checkpoint.folder)
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(path, target)
    # The head in torch is these, in their order, with activations between them.
    heads = [name for name in tuned if name.startswith("_head.")]
    numbers = sorted({int(name.split(".")[1]) for name in heads})
    sources = dict(zip(numbers, (*modules.sources, modules.classifier), strict=True))
    found = {}
    for name in heads:
        _, number, part = name.split(".")
        found[f"{sources[int(number)]}.{part}"] = tuned.pop(name)
    for prefix, files in modules.files_of.items():
        own = {
            name.removeprefix(f"{prefix}."): value.contiguous()
            for name, value in found.items()
            if name.startswith(f"{prefix}.")
        }
        target = folder / files[0].parent.relative_to(checkpoint.folder)
        save_file(own, str(target / _WEIGHTS), metadata={"format": "pt"})


def _write_settings(checkpoint: Checkpoint, folder: Path) -> None:
    for name in _COPIED:
        path = checkpoint.folder / name
        if path.is_file():
            shutil.copyfile(path, folder / name)
    config: dict[str, Any] = dict(checkpoint.config)
    config |= {name: "float32" for name in _DTYPES if name in config}
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8", newline="\n")
    (folder / "README.md").write_text(_card(checkpoint), encoding="utf-8", newline="\n")


def _card(checkpoint: Checkpoint) -> str:
    license = f"license: {checkpoint.license}\n" if checkpoint.license else ""
    return (
        f"---\n{license}base_model: {json.dumps(checkpoint.name, ensure_ascii=False)}\n---\n\n"
        f"{checkpoint.name}, tuned by `edge-rerank tune` on judged queries of its user.\n"
    )
