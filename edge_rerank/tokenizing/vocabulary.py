"""Which tokens a ``tokenizer.json`` can give, whatever its kind, and their ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_rerank.errors import TokenizerError


def read_vocabulary(path: Path) -> dict[str, int]:
    """Read the id of every token: the model's words, added tokens, and those around a pair.

    Raises TokenizerError for a file that is no ``tokenizer.json``.
    """
    try:
        value = json.loads(path.read_bytes())
        tokens = dict(_words(value["model"].get("vocab") or {}))
        for added in value.get("added_tokens") or ():
            tokens[added["content"]] = added["id"]
        tokens.update(_around(value.get("post_processor") or {}))
        if not all(type(number) is int for number in tokens.values()):
            raise TypeError("a token's id is not a whole number")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TokenizerError(f"{path}: cannot be read as a tokenizer: {error!r}") from error
    return tokens


def token_beyond(path: Path, vocab_size: int) -> str | None:
    """Say which token has an id that a model of ``vocab_size`` embeddings lacks; None for none."""
    tokens = read_vocabulary(path)
    last = max(tokens, key=tokens.__getitem__, default=None)
    if last is None or tokens[last] < vocab_size:
        return None
    return f"{last!r} has the id {tokens[last]}, and the model has {vocab_size} embeddings"


def _words(vocabulary: Any) -> Iterator[tuple[str, int]]:
    if isinstance(vocabulary, dict):  # WordPiece, BPE, WordLevel
        yield from vocabulary.items()
    else:  # Unigram: pairs of a word and its score
        yield from ((word, place) for place, (word, _) in enumerate(vocabulary))


def _around(processor: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Name the special tokens that a post-processor puts around texts."""
    for part in processor.get("processors") or ():
        yield from _around(part)
    special = processor.get("special_tokens")
    for name, token in special.items() if isinstance(special, dict) else ():
        yield from ((name, number) for number in sorted(token["ids"]))
    for kind in ("cls", "sep"):  # BertProcessing, RobertaProcessing
        if kind in processor:
            name, number = processor[kind]
            yield name, number
