"""A tiny checkpoint for tests of the exporter's command."""

from __future__ import annotations

from pathlib import Path


def write_tiny_checkpoint(folder: Path) -> Path:
    """Write a checkpoint with random weights and its tokenizer; needs torch."""
    from edge_rerank_bench.random_checkpoint import write_random_checkpoint
    from tests.conftest import word_tokenizer
    from tests.export.conftest import TINY

    folder.mkdir()
    tokenizer = folder.with_suffix(".json")
    word_tokenizer().save(str(tokenizer))
    return write_random_checkpoint(folder, tokenizer, TINY)
