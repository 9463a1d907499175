"""What ``manifest.json`` says: frozen descriptions, read strictly, written back the same.

The format is documented in the repository's ``quantized/README.md``. A reader accepts members
it does not know, so a minor addition needs no new version; anything that changes the meaning of
a known member does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from edge_rerank.artifact import format1
from edge_rerank.artifact.architecture import Architecture
from edge_rerank.artifact.fields import Fields
from edge_rerank.artifact.seal import sealed
from edge_rerank.errors import FormatVersionError, ManifestError, UnsafePathError, shown
from edge_rerank.results import ACTIVATIONS

FORMAT = "edge-rerank-artifact"
FORMAT_VERSION = 2
_READ: Mapping[int, Callable[[Fields], Architecture]] = {
    1: format1.parse_architecture,
    FORMAT_VERSION: Architecture.parse,
}
"""What reads the architecture of each format; all else is the same in them."""
PRECISIONS = ("int8", "fp32")
EMBEDDING_BITS = (8, 4)
"""Of the table of words in an int8 model."""
# Far beyond any model, and as the native engine has them.
_MOST_LENGTH, _MOST_BYTES = 1 << 16, 1 << 50
REQUIRED_FILES = ("config.json", "model.onnx", "probes.json", "tokenizer.json")

# A plain ASCII name means the same file on every system: no separators, drives, streams or dots
# that Windows strips, and no hidden files.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?")
_WINDOWS_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")


def utc_now() -> str:
    """Return the present time as the manifest records it: ISO 8601, UTC, whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the weights come from."""

    model: str
    """Name or folder name that the exporter was given."""
    revision: str | None
    """Resolved commit, or None for a folder."""
    checkpoint_sha256: str
    """SHA-256 of the checkpoint's weights, 64 lower-case hexadecimal digits."""

    @classmethod
    def parse(cls, fields: Fields) -> Source:
        """Read the ``source`` object; raises ManifestError."""
        return cls(
            model=fields.text("model"),
            revision=fields.optional_text("revision"),
            checkpoint_sha256=_sha256(fields, "checkpoint_sha256"),
        )


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size in bytes and SHA-256 of one file of the artifact."""

    sha256: str
    size: int

    @classmethod
    def parse(cls, fields: Fields) -> FileRecord:
        """Read one entry of ``files``; raises ManifestError."""
        return cls(
            sha256=_sha256(fields, "sha256"), size=fields.integer("size", least=0, most=_MOST_BYTES)
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything ``manifest.json`` records about an artifact."""

    name: str
    source: Source
    license: str | None
    precision: str
    """``int8`` or ``fp32``."""
    max_length: int
    """Most tokens a pair may have, special tokens included."""
    architecture: Architecture
    quantization: Mapping[str, Any] | None
    tools: Mapping[str, str]
    parity: Mapping[str, Any]
    files: Mapping[str, FileRecord] = field(default_factory=dict)
    created: str = field(default_factory=utc_now)
    activation: str = "sigmoid"
    """What makes a logit the model's score: one of ACTIVATIONS; manifests from before have none."""
    embedding_bits: int | None = None
    """Of the table of words in an int8 model: one of EMBEDDING_BITS; None in an fp32 one."""
    prompt: str = ""
    """What is put before each query; manifests from before have none."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """All that the checkpoint has, under their names."""
    relevant_label: str | None = None
    """Of a head of two logits, whose difference the logit is, the one that means relevant."""

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as the JSON object that :meth:`from_json` reads, with its checksum.

        Raises ManifestError for a value that JSON does not have.
        """
        body = {**asdict(self), "architecture": self.architecture.to_json()}
        return sealed({"format": FORMAT, "format_version": FORMAT_VERSION, **body})

    @classmethod
    def from_json(cls, value: object, *, where: str = "manifest.json") -> Manifest:
        """Read a parsed manifest; ``where`` names it in errors.

        Raises FormatVersionError for another format or version, UnsafePathError for a file name
        that could leave the folder, ManifestError for anything else that is not as it should be.
        """
        fields = Fields.of(value, where)
        read_architecture = _READ[_format_version(fields)]
        manifest = cls(
            name=fields.text("name"),
            created=_utc(fields, "created"),
            source=Source.parse(fields.child("source")),
            license=fields.optional_text("license"),
            precision=fields.choice("precision", PRECISIONS),
            max_length=fields.integer("max_length", least=1, most=_MOST_LENGTH),
            architecture=read_architecture(fields.child("architecture")),
            quantization=_optional_map(fields, "quantization"),
            tools=fields.text_map("tools"),
            parity=dict(fields.child("parity").value),
            files=_files(fields.child("files")),
            activation=_activation(fields),
            embedding_bits=_embedding_bits(fields),
            prompt=_prompt(fields),
            prompts=fields.text_map("prompts") if "prompts" in fields.value else {},
            relevant_label=fields.optional_text("relevant_label")
            if "relevant_label" in fields.value
            else None,
        )
        _check_length(manifest, fields)
        return manifest


def check_file_name(name: str, where: str) -> None:
    """Raise UnsafePathError unless ``name`` is one plain file name on every system."""
    if not _PLAIN_NAME.fullmatch(name) or _WINDOWS_DEVICE.fullmatch(name):
        raise UnsafePathError(
            f"{where}: {shown(name)} is not a plain file name; an artifact's files lie directly in "
            "its folder, under names of ASCII letters, digits, '.', '_' and '-'"
        )


def _format_version(fields: Fields) -> int:
    found = fields.value.get("format")
    if found != FORMAT:
        raise FormatVersionError(
            f"{fields.where}: format is {shown(found)}; this release reads {FORMAT!r}"
        )
    version = fields.value.get("format_version")
    if type(version) is not int or version not in _READ:
        raise FormatVersionError(
            f"{fields.where}: format version is {shown(version)}; this release reads versions "
            f"{' and '.join(map(str, _READ))}: upgrade edge-rerank, or export the model again with "
            "this release"
        )
    return version


def _check_length(manifest: Manifest, fields: Fields) -> None:
    absolute = manifest.architecture.positions.absolute
    if absolute and manifest.max_length > absolute:
        fields.fail("max_length", f"at most {absolute}, the number of absolute positions")


def _files(fields: Fields) -> dict[str, FileRecord]:
    for name in fields.value:
        check_file_name(name, fields.where)
    missing = [name for name in REQUIRED_FILES if name not in fields.value]
    if missing:
        raise ManifestError(f"{fields.where}: does not list {', '.join(missing)}")
    return {name: FileRecord.parse(fields.child(name)) for name in fields.value}


def _activation(fields: Fields) -> str:
    if "activation" not in fields.value:
        return "sigmoid"
    return fields.choice("activation", tuple(ACTIVATIONS))


def _embedding_bits(fields: Fields) -> int | None:
    int8, bits = fields.value.get("precision") == "int8", fields.value.get("embedding_bits")
    if bits is None:
        return EMBEDDING_BITS[0] if int8 else None
    if type(bits) is not int or not int8 or bits not in EMBEDDING_BITS:
        fields.fail("embedding_bits", " or ".join(map(str, EMBEDDING_BITS)) if int8 else "null")
    return bits


def _prompt(fields: Fields) -> str:
    """Read what is put before queries; C programs get it as a string that ends with a NUL."""
    prompt = fields.any_text("prompt") if "prompt" in fields.value else ""
    if "\0" in prompt:
        fields.fail("prompt", "a text without NUL")
    return prompt


def _optional_map(fields: Fields, key: str) -> dict[str, Any] | None:
    child = fields.optional_child(key)
    return None if child is None else dict(child.value)


def _sha256(fields: Fields, key: str) -> str:
    value = fields.text(key)
    if not _SHA256.fullmatch(value):
        fields.fail(key, "64 lower-case hexadecimal digits")
    return value


def _utc(fields: Fields, key: str) -> str:
    value = fields.text(key)
    if not _UTC.fullmatch(value):
        fields.fail(key, "a UTC time such as 2026-01-31T12:00:00Z")
    return value
