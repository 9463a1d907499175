"""The artifact on disk: opening and checking a model folder, and writing its manifest.

Names in the manifest are checked, so that none can say where else to look. A file may be a
symbolic link, as in the Hugging Face cache, wherever it leads: it is checked through the link, by
size and by SHA-256, as any other.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path

from edge_rerank.artifact.config import config_conflicts
from edge_rerank.artifact.fields import Fields, json_text, parse_json, read_json, write_json
from edge_rerank.artifact.manifest import FileRecord, Manifest
from edge_rerank.artifact.paths import model_folder, opened, regular_file
from edge_rerank.artifact.seal import seal_holds
from edge_rerank.errors import (
    ArtifactNotFoundError,
    ChecksumError,
    FormatVersionError,
    ManifestError,
    shown,
)
from edge_rerank.machine.floats import default_floats, rounding_fault

MANIFEST_NAME = "manifest.json"
PROBES_VERSION = 1
_COPY = "copy or export the artifact again"
_JSON_LIMIT = 4 * 1024 * 1024
# Hashed at a time, without the interpreter's lock. Each return to Python may have to wait for it,
# for five milliseconds when another thread is busy.
_CHUNK = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model folder whose manifest has been read and whose files have been checked."""

    path: Path
    """The folder, absolute, with links resolved."""
    manifest: Manifest
    sealed: bool | None = None
    """Whether the manifest's checksum of itself holds; None where it has none."""

    def file(self, name: str) -> Path:
        """Return the path of a file that the manifest lists; links stay as they are.

        Raises ArtifactNotFoundError for a name it does not list or a file that is gone, and
        ArtifactError for what is not a regular file.
        """
        if name not in self.manifest.files:
            raise ArtifactNotFoundError(f"{self.path / MANIFEST_NAME}: {name!r} is not listed")
        return regular_file(self.path, name)


@dataclass(frozen=True, slots=True)
class Probe:
    """A fixed pair and the logit that the fp32 model gave it when the artifact was made."""

    query: str
    document: str
    logit: float


def open_artifact(path: str | os.PathLike[str]) -> Artifact:
    """Read a folder's manifest and compare the files' sizes, their contents unread.

    Raises what :func:`load_artifact` does, but for contradictions that a report can list.
    """
    folder = model_folder(path)
    manifest_path = _manifest_path(folder)
    value = read_json(manifest_path, limit=_JSON_LIMIT)
    manifest = Manifest.from_json(value, where=str(manifest_path))
    artifact = Artifact(folder, manifest, seal_holds(value))
    for name, record in manifest.files.items():
        _check_size(regular_file(folder, name), record)
    return artifact


@default_floats()
def load_artifact(path: str | os.PathLike[str], *, verify: bool = True) -> Artifact:
    """Open a model folder and check it against its manifest.

    Sizes are always checked; SHA-256 sums too unless ``verify`` is False. Files that are links
    are checked in the same way, through the link. The manifest is always held to its own checksum,
    where it has one, and to ``config.json``.

    Raises ArtifactNotFoundError, FormatVersionError, ManifestError, UnsafePathError or
    ChecksumError, all of them ArtifactError.
    """
    artifact = open_artifact(path)
    if artifact.sealed is False:
        raise ChecksumError(
            f"{artifact.path / MANIFEST_NAME}: its values do not have the SHA-256 that it gives; "
            + (rounding_fault() or f"it is damaged or was edited: {_COPY}")
        )
    if verify:
        verify_checksums(artifact)
    _check_config(artifact)
    return artifact


def verify_checksums(artifact: Artifact) -> None:
    """Compare the SHA-256 of every file with the manifest's; raises ChecksumError for another.

    The interpreter's lock is let go for all but a few moments.
    """
    for name, record in artifact.manifest.files.items():
        _check_sum(artifact.file(name), record)


def load_probes(artifact: Artifact) -> tuple[Probe, ...]:
    """Read the artifact's probe pairs; raises ManifestError when the file is not as it should be.

    An artifact without any probe pairs gives an empty tuple.
    """
    path = artifact.file("probes.json")
    fields = Fields.of(read_json(path, limit=_JSON_LIMIT), str(path))
    version = fields.value.get("format_version")
    if version != PROBES_VERSION:
        raise FormatVersionError(
            f"{path}: format version is {shown(version)}; this release reads {PROBES_VERSION}"
        )
    pairs = fields.value.get("pairs")
    if not isinstance(pairs, list):
        fields.fail("pairs", "a list of objects")
    return tuple(
        _probe(Fields.of(pair, f"{path}: pair {index}")) for index, pair in enumerate(pairs)
    )


def write_manifest(folder: str | os.PathLike[str], manifest: Manifest) -> Manifest:
    """Hash every file in ``folder``, record them in ``manifest`` and write ``manifest.json``.

    Returns the manifest as written. What ``manifest.files`` held before is replaced. The file is
    written beside and renamed, and is read back strictly first, so that nothing can be written
    that :func:`load_artifact` would refuse.

    Raises ArtifactError when the folder holds anything but plain files, or lacks a required one.
    """
    root = model_folder(folder)
    written = replace(manifest, files=_hash_files(root))
    where = str(root / MANIFEST_NAME)
    text = json_text(written.to_json(), where)
    checked = Manifest.from_json(parse_json(text.encode("utf-8"), where), where=where)
    write_json(root / MANIFEST_NAME, checked.to_json())
    return checked


def write_probes(folder: str | os.PathLike[str], probes: tuple[Probe, ...]) -> None:
    """Write ``probes.json`` into ``folder``, in the form that :func:`load_probes` reads."""
    pairs = [
        {"query": probe.query, "document": probe.document, "logit": probe.logit} for probe in probes
    ]
    write_json(Path(folder) / "probes.json", {"format_version": PROBES_VERSION, "pairs": pairs})


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 lower-case hexadecimal digits; memory stays constant.

    Raises ArtifactNotFoundError when it cannot be read.
    """
    digest = hashlib.sha256()
    # Memory of its own: glibc, once it has seen so large a block freed, keeps later ones.
    with (
        opened(path) as stream,
        mmap(-1, _CHUNK) as block,
        memoryview(block) as buffer,
    ):
        while size := stream.readinto(buffer):
            with buffer[:size] as part:
                digest.update(part)
    return digest.hexdigest()


def _manifest_path(folder: Path) -> Path:
    try:
        return regular_file(folder, MANIFEST_NAME)
    except ArtifactNotFoundError as error:
        if os.path.lexists(folder / MANIFEST_NAME) or not isinstance(
            error.__cause__, FileNotFoundError
        ):
            raise
    message = f"{folder}: has no {MANIFEST_NAME}, so it is not an edge-rerank artifact"
    if os.path.exists(folder / "config.json"):
        message += "; if it is a checkpoint, run: edge-rerank export FOLDER --output NEW_FOLDER"
    raise ArtifactNotFoundError(message)


def _check_config(artifact: Artifact) -> None:
    path = artifact.file("config.json")
    if conflicts := config_conflicts(path, artifact.manifest.architecture):
        raise ManifestError(
            f"{artifact.path / MANIFEST_NAME}: differs from config.json: {'; '.join(conflicts)}; "
            f"one of the two is damaged or was edited: {_COPY}"
        )


def _check_size(path: Path, record: FileRecord) -> None:
    size = path.stat().st_size
    if size != record.size:
        raise ChecksumError(
            f"{path}: has {size} bytes, the manifest says {record.size}; "
            f"the copy is incomplete or altered: {_COPY}"
        )


def _check_sum(path: Path, record: FileRecord) -> None:
    found = sha256_file(path)
    if found != record.sha256:
        raise ChecksumError(
            f"{path}: SHA-256 is {found}, the manifest says {record.sha256}; "
            f"the file is damaged or altered: {_COPY}"
        )


def _hash_files(folder: Path) -> dict[str, FileRecord]:
    records = {}
    for entry in sorted(folder.iterdir()):
        if entry.name == MANIFEST_NAME:
            continue
        path = regular_file(folder, entry.name)
        records[entry.name] = FileRecord(sha256_file(path), path.stat().st_size)
    return records


def _probe(fields: Fields) -> Probe:
    return Probe(fields.any_text("query"), fields.any_text("document"), fields.number("logit"))
