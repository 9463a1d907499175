"""From a checkpoint to an artifact: check, trace, optimise, quantise, measure, write.

Everything heavy (torch, transformers, onnx) is imported when an export runs, never before, so
that the command line can describe itself without them.
"""

from __future__ import annotations

from .errors import CalibrationError, CheckpointError, ExportError, ParityError
from .pipeline import ExportOptions, ExportReport, export_model

__all__ = [
    "CalibrationError",
    "CheckpointError",
    "ExportError",
    "ExportOptions",
    "ExportReport",
    "ParityError",
    "export_model",
]
