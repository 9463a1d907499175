"""Fast, trustworthy reranking with DeBERTa-v2 cross-encoders on a CPU."""
