"""The model that comes with the package."""

from __future__ import annotations

import os
from pathlib import Path

from edge_rerank.errors import ArtifactNotFoundError

_PACKAGE = "edge_rerank.models"
BUILT_IN = "mini"
"""What the built-in model is called among others."""
# Where the model lies in a clone; there, Python finds this package before the installed one.
_IN_A_CLONE = Path(__file__).parents[2] / "quantized" / BUILT_IN


def builtin_model() -> Path:
    """Return the folder of the built-in model.

    Raises ArtifactNotFoundError when this installation does not carry it, or carries it packed.
    """
    from importlib import resources  # here, not at the top: it brings shutil and tempfile

    remedy = "name a model folder instead: Reranker.load(PATH)"
    try:
        # A Path in any installation; other kinds stand for packages run from an archive.
        folder = resources.files(_PACKAGE) / BUILT_IN
    except ModuleNotFoundError:
        if os.path.isdir(_IN_A_CLONE):
            return _IN_A_CLONE
        raise ArtifactNotFoundError(
            f"this installation of edge-rerank carries no built-in model: {remedy}"
        ) from None
    if not isinstance(folder, Path):
        raise ArtifactNotFoundError(
            f"the built-in model cannot be read from inside an archive: unpack it, or {remedy}"
        )
    if not os.path.isdir(folder):
        raise ArtifactNotFoundError(f"{folder}: the built-in model is missing: {remedy}")
    return folder
