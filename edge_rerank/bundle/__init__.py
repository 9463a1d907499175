"""One file that brings edge-rerank, and a model, to a machine without a network."""

from edge_rerank.bundle.kit import Kit, make_kit
from edge_rerank.bundle.platforms import PLATFORMS, this_platform

__all__ = ["PLATFORMS", "Kit", "make_kit", "this_platform"]
