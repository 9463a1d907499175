"""Rank Haystack documents on a CPU, offline, with edge-rerank."""

from haystack_integrations.components.rankers.edge_rerank.ranker import EdgeRerankRanker

__all__ = ["EdgeRerankRanker"]
