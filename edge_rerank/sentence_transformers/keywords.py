"""The constructor's keywords: which mean something here, which nothing, and which are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_rerank.errors import InputError, shown
from edge_rerank.warning import warn

POSITIONAL = ("num_labels", "max_length", "activation_fn", "device")
"""What releases before 5.4 took by position, after the model."""
OLD_NAMES: Mapping[str, str] = {
    "model_name": "model_name_or_path",
    "automodel_args": "model_kwargs",
    "tokenizer_args": "processor_kwargs",
    "tokenizer_kwargs": "processor_kwargs",
    "config_args": "config_kwargs",
    "cache_dir": "cache_folder",
    "default_activation_function": "activation_fn",
}
WITHOUT_EFFECT = (
    "backend",
    "cache_folder",
    "classifier_dropout",
    "config_kwargs",
    "keep_in_fp32_modules",
    "local_files_only",
    "model_card_data",
    "model_kwargs",
    "token",
    "trust_remote_code",
)
"""They say where weights come from and how torch holds them: an artifact is as it was exported."""
_UNSET: tuple[object, ...] = (None, False, "torch", {}, [])


def renamed(positional: tuple[Any, ...], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords under their present names; raises InputError for one that is unknown."""
    if len(positional) > len(POSITIONAL):
        raise InputError(f"CrossEncoder takes {1 + len(POSITIONAL)} positional arguments at most")
    found = dict(zip(POSITIONAL, positional, strict=False))
    for name, value in keywords.items():
        found.setdefault(OLD_NAMES.get(name, name), value)
    return found


def pass_over(keywords: Mapping[str, Any]) -> None:
    """Warn of keywords that have no effect, once for all; raises InputError for unknown ones."""
    unknown = [name for name in keywords if name not in WITHOUT_EFFECT]
    if unknown:
        raise InputError(f"CrossEncoder has no keyword {', '.join(map(repr, unknown))}")
    told = [name for name, value in keywords.items() if value not in _UNSET]
    if told:
        warn(
            f"CrossEncoder: {', '.join(told)}: no effect here; an exported model is opened as it is"
        )


def check_device(device: object) -> None:
    """Raise InputError for any device but the CPU; several of them are the same one."""
    for one in device if isinstance(device, (list, tuple)) else (device,):
        if one is not None and str(one).partition(":")[0] != "cpu":
            raise InputError(f"device is {shown(one)}; edge-rerank computes on the CPU alone")


def check_labels(num_labels: object) -> None:
    """Raise InputError for anything but one score a pair."""
    if num_labels not in (None, 1):
        raise InputError(f"num_labels is {shown(num_labels)}; the models here have one")


def check_revision(revision: str | None, exported: str | None, model: str) -> None:
    """Raise InputError where a commit is asked for, and the model was exported from another."""
    if revision is None or revision == exported:
        return
    if exported is not None and _is_commit(revision):
        raise InputError(
            f"revision is {revision}, and {model} was exported from {exported}; export the other"
        )
    warn(f"CrossEncoder: revision: no effect here; {model} was exported from {exported or 'files'}")


def length_in(keywords: Mapping[str, Any] | None) -> int | None:
    """Return the most tokens that ``processor_kwargs`` asks for; the rest has no effect."""
    length: int | None = dict(keywords or {}).get("model_max_length")
    return length


def length_of_call(keywords: Mapping[str, Any]) -> int | None:
    """Return the most tokens that ``predict(processing_kwargs=…)`` asks for.

    Raises InputError for all else, since a call asks for what it needs.
    """
    others = dict(keywords)
    text = dict((others.pop("processing_kwargs", None) or {}).get("text", {}))
    length: int | None = text.pop("max_length", None)
    if text.pop("truncation", True) in (True, "longest_first"):
        text.pop("padding", None)
        others |= text
    else:
        others["truncation"] = False
    if others:
        raise InputError(
            f"predict: {', '.join(others)}: not known here; processing_kwargs may set max_length"
        )
    return length


def _is_commit(revision: str) -> bool:
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")
