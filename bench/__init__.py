"""Benchmarks of edge-rerank beside what its users would otherwise run."""
