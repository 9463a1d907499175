"""A drop-in for sentence-transformers' CrossEncoder; nothing of that package or torch is needed.

from edge_rerank.sentence_transformers import CrossEncoder

model = CrossEncoder("my-model")  # an exported folder; without a name the built-in model
scores = model.predict([("how do plants eat", "Plants make sugar of light.")])
hits = model.rank("how do plants eat", ["Plants make sugar of light.", "Steel rusts."])
"""

from __future__ import annotations

from edge_rerank.sentence_transformers.cross_encoder import CrossEncoder

__all__ = ["CrossEncoder"]
