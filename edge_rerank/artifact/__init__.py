"""The artifact on disk: the folder, its manifest, and the model that ships with the package."""

from edge_rerank.artifact.architecture import Architecture
from edge_rerank.artifact.folder import (
    Artifact,
    Probe,
    load_artifact,
    load_probes,
    sha256_file,
    verify_checksums,
    write_manifest,
    write_probes,
)
from edge_rerank.artifact.manifest import FileRecord, Manifest, Source, utc_now

__all__ = [
    "Architecture",
    "Artifact",
    "FileRecord",
    "Manifest",
    "Probe",
    "Source",
    "load_artifact",
    "load_probes",
    "sha256_file",
    "utc_now",
    "verify_checksums",
    "write_manifest",
    "write_probes",
]
