"""Where a checkpoint comes from: a folder, or, only when the user names one, a model hub."""

from __future__ import annotations

import re
from pathlib import Path

from .checkpoint import Checkpoint, open_checkpoint
from .errors import CheckpointError, ExportError
from .scoring import FILES as SCORING_FILES
from .tokenizer import FILES as TOKENIZER_FILES
from .weights import FILES as WEIGHT_FILES

PINNED_REVISIONS = {
    "mixedbread-ai/mxbai-rerank-xsmall-v1": "d1ba0a474aeed7c9fa96c3f57b128277580c5fae",
}
"""Commits that are taken for these names unless the user asks for another."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_WANTED = ["config.json", "README.md", *TOKENIZER_FILES, *SCORING_FILES, *WEIGHT_FILES]


def fetch_checkpoint(model: str, *, revision: str | None = None) -> Checkpoint:
    """Open ``model``: a folder, or else the name of a model on the Hugging Face hub.

    The network is used for a hub name only. Without ``revision``, a name that this release pins
    gives the pinned commit; any other gives the present head, whose commit is recorded.

    Raises CheckpointError when there is no such folder or model, or it cannot be exported, and
    ExportError when a revision is given for a folder.
    """
    folder = Path(model)
    if folder.is_dir():
        if revision is not None:
            raise ExportError(
                f"--revision {revision} is for a model on the hub; {model} is a folder"
            )
        return open_checkpoint(folder)
    if not _HUB_NAME.fullmatch(model) or folder.exists():
        raise CheckpointError(f"{model}: neither a folder nor a model's name (OWNER/NAME)")
    return _download(model, revision or PINNED_REVISIONS.get(model))


def _download(name: str, revision: str | None) -> Checkpoint:
    from huggingface_hub import HfApi, snapshot_download

    try:
        # A branch or tag is turned into its commit first, so that what is recorded is what is
        # downloaded, even when the branch moves meanwhile.
        commit = revision
        if commit is None or not re.fullmatch(r"[0-9a-f]{40}", commit):
            commit = HfApi().model_info(name, revision=revision).sha
        folder = snapshot_download(name, revision=commit, allow_patterns=_WANTED)
    except Exception as error:  # which ones depends on the hub library's own transport
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{name}: cannot be downloaded ({reason}). Without a network, copy the checkpoint's "
            "folder here and give its path"
        ) from error
    return open_checkpoint(Path(folder), name=name, revision=commit)
