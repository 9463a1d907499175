"""Makes the small built-in reranker: text, pairs, warm start, training and evaluation."""
