"""Whether the tokenizer's vocabulary fits the model."""

from __future__ import annotations

from edge_rerank.artifact.folder import Artifact
from edge_rerank.errors import TokenizerError
from edge_rerank.tokenizing.vocabulary import token_beyond


def vocabulary_conflicts(artifact: Artifact) -> list[str]:
    """Say whether the tokenizer knows a token that the model lacks: texts with it have no score."""
    path, shape = artifact.file("tokenizer.json"), artifact.manifest.architecture
    try:
        beyond = token_beyond(path, shape.vocab_size)
    except TokenizerError as error:
        return [str(error)]
    return [] if beyond is None else [f"tokenizer.json: {beyond}"]
