"""ONNX graphs of cross-encoders, written for ONNX Runtime's CPU kernels."""

from .model import build_model

__all__ = ["build_model"]
