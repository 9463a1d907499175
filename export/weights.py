"""A checkpoint's weights: which files they lie in, and reading them as transformers does."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .families.family import TensorNames

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
FILES = (_SINGLE, _INDEX, "model-*-of-*.safetensors", "adapter_config.json")
"""Patterns of all that is looked at here; an adapter is only looked for."""

# As transformers renames them (_fix_state_dict_key_on_load): names from TensorFlow's time.
_OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
_WRAPPERS = (
    *("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."),
    *("base_model.model.", "module.", "model."),
)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Name the files that hold the weights, each a sound safetensors file.

    Raises CheckpointError when there are none, or one is missing, damaged or not the whole model.
    """
    if (folder / "adapter_config.json").is_file():
        raise CheckpointError(
            f"{folder}: has an adapter (adapter_config.json), which transformers adds to the "
            "weights; merge it first: model.merge_and_unload().save_pretrained(FOLDER)"
        )
    if (folder / _SINGLE).is_file():
        files: tuple[Path, ...] = (folder / _SINGLE,)
    elif (folder / _INDEX).is_file():
        files = tuple(_shards(folder / _INDEX))
    else:
        raise CheckpointError(f"{folder}: {_no_weights(folder)}")
    for path in files:
        _check_safetensors(path)
    return files


def read_weights(files: Collection[Path]) -> dict[str, NDArray[np.float32]]:
    """Read all weights as float32 arrays, under their Hugging Face names of today.

    Raises CheckpointError for weights that are not floating-point or not finite.
    """
    import torch
    from safetensors import safe_open

    weights = {}
    for path in files:
        with safe_open(str(path), framework="pt") as stored:
            for key in stored.keys():  # noqa: SIM118 - not a mapping
                tensor = stored.get_tensor(key)
                if not tensor.is_floating_point():
                    _check_buffer(path, key, tensor)
                    continue
                array = tensor.to(torch.float32).numpy()
                if not bool(torch.isfinite(tensor).all()):
                    raise CheckpointError(f"{path}: {key} holds values that are not finite")
                weights[_name_of_today(key)] = array
    return weights


def within(
    encoder: str, weights: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Return the weights of an encoder under the names that they have in a whole model."""
    whole = any(name.startswith(encoder) for name in weights)
    return {name if whole else encoder + name: weight for name, weight in weights.items()}


def why_missing(key: str, names: Collection[str], known: TensorNames) -> str:
    """Say why a weight is not among ``names``, and what to do."""
    for name in names:
        if name != key and _unwrapped(name) == key:
            return (
                f"the weights have {name} in place of {key}: they were saved from a wrapper "
                "around the model (DataParallel, torch.compile, a trainer). Save the model inside "
                "it, model.module or model._orig_mod, with save_pretrained(FOLDER)"
            )
    if any(".base_layer." in name or ".lora_" in name for name in names):
        return (
            f"the weights lack {key} and hold a LoRA adapter; merge it first: "
            "model.merge_and_unload().save_pretrained(FOLDER)"
        )
    if key.removeprefix(known.encoder) in names and key not in names:
        return (
            f"the weights have {key.removeprefix(known.encoder)} in place of {key}: they are those "
            "of an encoder alone, without the head that makes it a reranker"
        )
    if key.startswith((known.pooler, known.classifier)):
        return (
            f"the weights lack {key}: the checkpoint has no classification head, and transformers "
            "would make one of random numbers; train it as a cross-encoder first"
        )
    return f"the weights lack {key}; the checkpoint is incomplete: download or save it again"


def _name_of_today(key: str) -> str:
    for old, new in _OLD_NAMES.items():
        if key.endswith(old):
            return key.removesuffix(old) + new
    return key


def _unwrapped(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def _check_buffer(path: Path, key: str, tensor: Any) -> None:
    """Let buffers pass, such as position_ids, which follow from the shape; weights not."""
    if key.endswith((".weight", ".bias")):
        kind = str(tensor.dtype).removeprefix("torch.")
        raise CheckpointError(
            f"{path}: {key} is stored as {kind}: the checkpoint is quantised already; "
            "export the one that it was made from"
        )


def _no_weights(folder: Path) -> str:
    """Say what is there in place of weights."""
    pickled = sorted(
        path.name for kind in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(kind)
    )
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if any(name.startswith("model-") for name in others):
        return f"has {others[0]} and no {_INDEX}, which says what lies where; download it too"
    if others:
        return f"has {others[0]}, but no {_SINGLE}: rename it if it holds the whole model"
    if pickled:
        return (
            f"the weights are pickled ({pickled[0]}), which can run code when it is "
            "opened. Convert them to safetensors first, in a place where you trust the file: "
            "model.save_pretrained(FOLDER, safe_serialization=True)"
        )
    return f"has neither {_SINGLE} nor {_INDEX}: no weights to export"


def _shards(index: Path) -> Iterator[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index}: not an index of weights: {error!r}") from error
    if not names:
        raise CheckpointError(f"{index}: names no shards")
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise CheckpointError(f"{index}: names the shard {name!r}, which is not a file's name")
        if not (index.parent / name).is_file():
            raise CheckpointError(f"{index}: the shard {name} is missing; download it again")
        yield index.parent / name


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
