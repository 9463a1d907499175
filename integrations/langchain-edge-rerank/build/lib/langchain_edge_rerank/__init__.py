"""Rerank LangChain documents on a CPU, offline, with edge-rerank."""

from langchain_edge_rerank.compressor import EdgeRerank
from langchain_edge_rerank.cross_encoder import EdgeRerankCrossEncoder

__all__ = ["EdgeRerank", "EdgeRerankCrossEncoder"]
