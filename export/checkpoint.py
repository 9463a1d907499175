"""Opening a checkpoint: a folder's files, checked before anything is computed from them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_rerank.artifact.architecture import Architecture
from edge_rerank.artifact.folder import sha256_file

from .config import Config, read_config
from .errors import CheckpointError
from .families import Layout, read_layout
from .licenses import spdx
from .scoring import Scoring, read_scoring
from .tokenizer import check_tokenizer_files
from .two_logits import label_of
from .weights import weight_files

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
    layout: Layout
    weight_files: tuple[Path, ...]
    license: str | None
    scoring: Scoring

    @property
    def architecture(self) -> Architecture:
        """The model's shape."""
        return self.layout.architecture

    @property
    def relevant_label(self) -> str | None:
        """Name of the output that means relevant, of a head of two; None for another head."""
        if self.layout.relevant is None:
            return None
        return label_of(Config(self.config, str(self.folder)), self.layout.relevant)

    @property
    def max_length(self) -> int:
        """Most tokens of a pair: the least of the limits that the checkpoint states."""
        limits = (
            self.layout.longest,
            _stated_length(self.folder / "tokenizer_config.json"),
            self.scoring.max_length,
        )
        return min(limit for limit in limits if limit)

    def sha256(self) -> str:
        """Return one SHA-256 for all weight files, in the order of their names."""
        modules = self.layout.modules
        files = (*self.weight_files, *(modules.files if modules else ()))
        if len(files) == 1:
            return sha256_file(files[0])
        digests = "".join(sha256_file(path) for path in files)
        return hashlib.sha256(digests.encode("ascii")).hexdigest()


def printable(name: str) -> str:
    """Return a file's name as text: bytes of it that are not UTF-8 become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def open_checkpoint(
    folder: Path,
    *,
    name: str | None = None,
    revision: str | None = None,
    relevant_label: str | None = None,
) -> Checkpoint:
    """Check that a folder holds a cross-encoder that can be exported.

    ``relevant_label`` names the output that means relevant, for a head of two.

    Raises CheckpointError when a part is missing or damaged, or the model is of another kind.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder; expected a checkpoint's folder")
    if printable(str(folder)) != str(folder):
        raise CheckpointError(
            f"{printable(str(folder))}: the path is not UTF-8, and the libraries that read "
            "checkpoints open no other; rename the folder, or give a link to it"
        )
    config = read_config(folder)
    scoring = read_scoring(folder, config)
    layout = read_layout(
        config,
        str(folder / "config.json"),
        relevant_label=relevant_label,
        modules=scoring.modules,
    )
    files = weight_files(folder)
    check_tokenizer_files(folder)
    return Checkpoint(
        folder=folder,
        name=name or printable(folder.resolve().name),
        revision=revision,
        config=config,
        layout=layout,
        weight_files=files,
        license=_stated_license(folder / "README.md"),
        scoring=scoring,
    )


def _stated_length(path: Path) -> int | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8")).get("model_max_length")
    except (OSError, ValueError, AttributeError):
        return None
    if isinstance(value, (int, float)) and 2 < value < _UNREASONABLE_LENGTH:
        return int(value)
    return None


def _stated_license(path: Path) -> str | None:
    """Read the licence from a model card's front matter, where there is one, as SPDX writes it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    front = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    found = re.search(r"^license:\s*([^\s#]+)", front.group(1), re.MULTILINE) if front else None
    return spdx(found.group(1).strip("'\"")) if found else None
