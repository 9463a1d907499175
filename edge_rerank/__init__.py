"""Fast, trustworthy reranking with cross-encoders on a CPU.

    from edge_rerank import Reranker

    with Reranker.load() as reranker:
        for result in reranker.rank("how do plants eat?", ["Photosynthesis ...", "Steel ..."]):
            print(result.index, result.score)

Importing this package loads neither onnxruntime nor tokenizers; :meth:`Reranker.load` does
where it needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_rerank._version import __version__
from edge_rerank.description import Description
from edge_rerank.ending import CancelToken
from edge_rerank.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    CancelledError,
    ChecksumError,
    ClosedError,
    EdgeRerankError,
    EngineError,
    FormatVersionError,
    InputError,
    ManifestError,
    MissingExtraError,
    ParityError,
    TimedOutError,
    TokenizerError,
    UnsafePathError,
    UnsupportedCpuError,
)
from edge_rerank.machine.cpu import require_baseline
from edge_rerank.reranker import Reranker
from edge_rerank.results import Document, RankedDocument, ScoredPair, Window
from edge_rerank.windows.options import Windows

if TYPE_CHECKING:
    from edge_rerank.asynchronous import AsyncReranker
    from edge_rerank.verification.report import Verification, verify

__all__ = [
    "ArtifactError",
    "ArtifactNotFoundError",
    "AsyncReranker",
    "CancelToken",
    "CancelledError",
    "ChecksumError",
    "ClosedError",
    "Description",
    "Document",
    "EdgeRerankError",
    "EngineError",
    "FormatVersionError",
    "InputError",
    "ManifestError",
    "MissingExtraError",
    "ParityError",
    "RankedDocument",
    "Reranker",
    "ScoredPair",
    "TimedOutError",
    "TokenizerError",
    "UnsafePathError",
    "UnsupportedCpuError",
    "Verification",
    "Window",
    "Windows",
    "__version__",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import what ranking does not need when it is first asked for: a process starts sooner."""
    if name == "AsyncReranker":
        from edge_rerank.asynchronous import AsyncReranker

        return AsyncReranker
    if name not in ("Verification", "verify"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edge_rerank import verification

    return getattr(verification, name)


require_baseline()  # before anything imports numpy
