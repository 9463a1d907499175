"""From a checkpoint to an artifact: check, trace, optimise, quantise, measure, write.

Everything heavy (torch, transformers, onnx) is imported when an export runs, never before, so
that the command line can describe itself without them.
"""

from __future__ import annotations

from edge_rerank.engines.onnx.runtime import disable_telemetry
from edge_rerank.errors import ParityError

from .errors import CalibrationError, CheckpointError, ExportError
from .pipeline import ExportOptions, ExportReport, export_model

disable_telemetry()  # Optimum imports onnxruntime by itself

__all__ = [
    "CalibrationError",
    "CheckpointError",
    "ExportError",
    "ExportOptions",
    "ExportReport",
    "ParityError",
    "export_model",
]
