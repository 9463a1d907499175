"""Rerank LlamaIndex nodes on a CPU, offline, with edge-rerank."""

from llama_index.postprocessor.edge_rerank.base import EdgeRerank

__all__ = ["EdgeRerank"]
