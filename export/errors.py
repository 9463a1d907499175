"""What can go wrong in an export, in the same family as the runtime's errors."""

from __future__ import annotations

from edge_rerank.errors import EdgeRerankError


class ExportError(EdgeRerankError):
    """The export cannot be done, or not with these options."""


class CheckpointError(ExportError):
    """The checkpoint is missing, damaged, or not a model that edge-rerank can run."""


class CalibrationError(ExportError):
    """The calibration file cannot be read, or holds no pairs of texts."""
