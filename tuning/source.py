"""What is tuned: a checkpoint, or an int8 segment model such as the one inside, read back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_rerank.artifact import Manifest, load_artifact, write_manifest
from edge_rerank.artifact.builtin import BUILT_IN, builtin_model
from edge_rerank.artifact.folder import open_artifact
from edge_rerank.errors import InputError
from edge_rerank_export.source import fetch_checkpoint
from edge_rerank_training.errors import TrainingError
from edge_rerank_training.from_artifact import is_artifact, reranker_of_artifact

from .folders import whole_folder
from .options import TuneOptions
from .place import Place

if TYPE_CHECKING:
    from edge_rerank_export.checkpoint import Checkpoint


def checkpoint_of(options: TuneOptions, place: Place) -> Checkpoint:
    """Open what the options name; of an artifact, a checkpoint in the run's own folder.

    Raises CheckpointError, ArtifactError, and InputError for an artifact that cannot be tuned.
    """
    artifact = _artifact(options.checkpoint)
    if artifact is None:
        return fetch_checkpoint(
            options.checkpoint, revision=options.revision, relevant_label=options.relevant_label
        )
    if options.revision is not None:
        raise InputError(f"revision {options.revision} is for a model on the hub, not {artifact}")
    manifest = open_artifact(artifact).manifest  # checksums are held to when it is read back
    if manifest.activation != "sigmoid" or manifest.prompt:
        raise InputError(
            f"{artifact}: has the activation {manifest.activation!r} and the prompt "
            f"{manifest.prompt!r}; only artifacts with a sigmoid and no prompt can be tuned: tune "
            "the checkpoint that this one was made of"
        )
    # Each time anew: --resume may name another one, which its weights will tell.
    whole_folder(place.source, lambda folder: _read_back(artifact, manifest.max_length, folder))
    checkpoint = fetch_checkpoint(str(place.source), relevant_label=options.relevant_label)
    return replace(checkpoint, name=manifest.name, license=manifest.license)


def keep_artifact(options: TuneOptions, place: Place) -> bool:
    """Keep the artifact that is tuned as the model before, and say whether it is one.

    It reads as many tokens of a pair as the tuned one is going to.
    """
    artifact = _artifact(options.checkpoint)
    if artifact is None:
        return False
    manifest = load_artifact(artifact).manifest
    limit = min(options.max_length or manifest.max_length, manifest.max_length)
    whole_folder(
        place.before, lambda folder: _copy(artifact, replace(manifest, max_length=limit), folder)
    )
    return True


def _artifact(name: str) -> Path | None:
    """Return the folder of the artifact that is named, None where that is no artifact."""
    folder = Path(name).expanduser()
    if name == BUILT_IN and not folder.exists():
        return builtin_model()
    return folder if is_artifact(folder) else None


def _read_back(artifact: Path, max_length: int, folder: Path) -> None:
    try:
        model = reranker_of_artifact(artifact)
    except TrainingError as error:
        raise InputError(f"{error}; tune the checkpoint that it was made of") from error
    model.save(json.loads((artifact / "tokenizer.json").read_text("utf-8")), folder)
    settings = json.dumps({"model_max_length": max_length}) + "\n"
    (folder / "tokenizer_config.json").write_text(settings, "utf-8")


def _copy(artifact: Path, manifest: Manifest, folder: Path) -> None:
    folder.mkdir()
    for name in manifest.files:
        shutil.copyfile(artifact / name, folder / name)
    write_manifest(folder, manifest)
