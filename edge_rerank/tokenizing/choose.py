"""Pairs of texts to token ids, the same ids as Hugging Face's fast tokenizers give.

Two tokenizers can do it: our own, in the native library, for the kinds of ``tokenizer.json`` that
it knows to the last detail, and the tokenizers library for all others. Nothing of the cut part of
a long text is kept, and whether anything was cut is known exactly.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_rerank.errors import ArtifactError, EngineError, InputError, TokenizerError
from edge_rerank.handles import OfThisProcess
from edge_rerank.pairs import Pair, TokenizedBatch, check_pairs

if TYPE_CHECKING:
    from edge_rerank.description import TokenizerChoice, TokenizerName
    from edge_rerank.tokenizing.protocol import Tokenizer

TOKENIZER_VARIABLE = "EDGE_RERANK_TOKENIZER"
TOKENIZERS = ("auto", "native", "tokenizers")


class PairTokenizer(OfThisProcess):
    """Encodes pairs with a ``tokenizer.json``. Safe to use from several threads at once."""

    def __init__(
        self,
        path: Path,
        *,
        max_length: int,
        threads: int = 1,
        tokenizer: TokenizerChoice | None = None,
        prompt: str = "",
    ) -> None:
        """Read ``path``; no pair will have more than ``max_length`` tokens.

        ``prompt`` is put before each query, as the model was trained with.
        ``tokenizer`` is one of TOKENIZERS: ``native`` and ``tokenizers`` leave no choice, for tests
        and support, and ``auto`` takes the native one where it knows the file. None is the
        environment variable EDGE_RERANK_TOKENIZER, or else ``auto``.

        Raises TokenizerError when the file cannot be read or cannot encode pairs, and InputError
        when ``max_length`` leaves no room for a token of each text, and for an unknown tokenizer.
        """
        self.max_length = max_length
        self._prompt = prompt
        self._tokenizer, self.why = _choose(path, max_length, threads, tokenizer)

    @property
    def name(self) -> TokenizerName:
        """Which tokenizer is used; ``why`` says why."""
        return self._tokenizer.name

    def encode(self, pairs: Sequence[Pair]) -> TokenizedBatch:
        """Encode each (query, document), in order.

        Raises InputError, naming the pair's place, for a text that is not a string or holds a
        lone surrogate, and TokenizerError when the tokenizer itself fails on a text.
        """
        try:
            return self._tokenizer.encode(self._prompted(pairs))
        except Exception:
            check_pairs(pairs)  # a text is at fault, or else the tokenizer
            raise

    def _prompted(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        if not self._prompt:
            return pairs
        return [(self._prompt + query, document) for query, document in pairs]


def _choose(path: Path, max_length: int, threads: int, asked: str | None) -> tuple[Tokenizer, str]:
    """Return the tokenizer, and why it is this one."""
    where, name = "tokenizer", asked
    why = "it was asked for"
    if name is None:
        where, name = TOKENIZER_VARIABLE, os.environ.get(TOKENIZER_VARIABLE, "").strip() or "auto"
        why = f"{TOKENIZER_VARIABLE} is set"
    if name not in TOKENIZERS:
        raise InputError(f"{where} is {name!r}; expected one of {', '.join(TOKENIZERS)}")
    if name != "tokenizers":
        from edge_rerank.tokenizing.native import NativeTokenizer

        try:
            native = NativeTokenizer(path, max_length=max_length, threads=threads)
            return native, why if name == "native" else "it knows this file, and is the fastest"
        except (ArtifactError, EngineError) as error:
            if name == "native":
                raise TokenizerError(f"the native tokenizer cannot: {error}") from error
            why = f"the native one cannot: {error}"
    from edge_rerank.tokenizing.huggingface import HuggingFaceTokenizer

    theirs = HuggingFaceTokenizer(path, max_length=max_length, threads=threads, why=why)
    return theirs, why
