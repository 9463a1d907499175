"""ONNX graphs of the DeBERTa-v2 cross-encoder, written for ONNX Runtime's CPU kernels."""

from .model import build_model

__all__ = ["build_model"]
