"""Where a checkpoint comes from: a folder, or, only when the user names one, a model hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .checkpoint import Checkpoint, open_checkpoint
from .errors import CheckpointError, ExportError

PINNED_REVISIONS = {
    "mixedbread-ai/mxbai-rerank-xsmall-v1": "d1ba0a474aeed7c9fa96c3f57b128277580c5fae",
}
"""Commits that are taken for these names unless the user asks for another."""

HUB = "hf://"
"""Before a name, says that it is one of the hub's and no folder's."""
COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_PATH = re.compile(r"[.~]?[/\\]|\.\.|.*[/\\]$|[A-Za-z]:|.*\\")
"""What nobody would call a model: the beginning, or the end, of a path."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A model on the hub, and one of its commits."""

    name: str
    revision: str


def fetch_checkpoint(
    model: str, *, revision: str | None = None, relevant_label: str | None = None
) -> Checkpoint:
    """Open ``model``: a folder, or else the name of a model on the Hugging Face hub.

    The network is used for a hub name only. Without ``revision``, a name that this release pins
    gives the pinned commit; any other gives the present head, whose commit is recorded. A folder
    of the hub's cache keeps its model's name and commit.

    Raises CheckpointError when there is no such folder or model, or it cannot be exported, and
    ExportError when a revision is given for a folder.
    """
    folder = Path(model).expanduser()
    if model and folder.is_dir():
        if revision is not None:
            raise ExportError(
                f"revision {revision} is for a model on the hub; {model} is a folder here (the "
                f"hub's model of this name is {HUB}{model})"
            )
        origin = cached_origin(folder)
        if origin is None:
            return open_checkpoint(folder, relevant_label=relevant_label)
        return open_checkpoint(
            folder,
            name=origin.name,
            revision=origin.revision,
            relevant_label=relevant_label,
        )
    name = model.removeprefix(HUB)
    if name == model:
        _check_is_no_path(model, folder)
    if not _HUB_NAME.fullmatch(name):
        raise CheckpointError(f"{model}: neither a folder nor a model's name (OWNER/NAME)")
    from .hub import download

    return download(name, revision or PINNED_REVISIONS.get(name), relevant_label)


def cached_origin(folder: Path) -> Origin | None:
    """Read the origin off a folder of the hub's cache, models--OWNER--NAME/snapshots/COMMIT."""
    place = folder.resolve()
    name = re.fullmatch(r"models--(.+)", place.parent.parent.name)
    if place.parent.name != "snapshots" or name is None or not COMMIT.fullmatch(place.name):
        return None
    return Origin(name[1].replace("--", "/"), place.name)


def _check_is_no_path(model: str, folder: Path) -> None:
    """Raise CheckpointError for what was meant as a folder: it must not go to the hub."""
    if model and folder.exists():
        raise CheckpointError(f"{model}: is a file; expected a checkpoint's folder, or OWNER/NAME")
    if _PATH.match(model) or model.count("/") > 1:
        raise CheckpointError(
            f"{model}: no such folder{_nearest(folder)}; expected a checkpoint's folder, or the "
            "name of a model on the hub (OWNER/NAME)"
        )
    if model not in PINNED_REVISIONS and len(folder.parts) == 2 and folder.parent.exists():
        raise CheckpointError(
            f"{model}: no such folder{_nearest(folder)}. If the model of this name on the hub is "
            f"meant, and not a folder, write {HUB}{model}"
        )


def _nearest(folder: Path) -> str:
    """Say which folders are beside the one that is missing; nothing where there are none."""
    parent = folder.parent
    if not parent.is_dir():
        return f" ({parent} is a file)" if parent.exists() else f" (there is no {parent} either)"
    found = sorted(path.parent.name for path in parent.glob("*/config.json"))
    return f" ({parent} has the checkpoints {', '.join(found[:5])})" if found else ""
