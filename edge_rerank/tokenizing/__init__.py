"""Pairs of texts to token ids: the protocol, the choice, and two tokenizers."""
