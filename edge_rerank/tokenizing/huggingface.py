"""Encodes with Hugging Face's tokenizers library, which reads every kind of ``tokenizer.json``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_rerank.description import TokenizerName
from edge_rerank.errors import InputError, TokenizerError
from edge_rerank.files import library_path
from edge_rerank.handles import OfThisProcess
from edge_rerank.machine.threads import usable_threads
from edge_rerank.pairs import Pair, TokenizedBatch, offsets_of
from edge_rerank.tokenizing.cutting import calls

# Below this many texts the tokenizers library's thread pool gains less than it costs to wake.
_PARALLEL_FROM = 16

_Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PairTemplate:
    """The special tokens around a pair: ``before`` query ``between`` document ``after``."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    first_specials: int
    """How many of the special tokens have type 0."""
    query_is_first: bool
    document_is_first: bool
    """Whether the document's tokens have type 0, as in models without types."""

    @property
    def specials(self) -> int:
        """How many special tokens a pair has."""
        return len(self.before) + len(self.between) + len(self.after)

    def join(self, texts: Sequence[tuple[_Ids, _Ids]], budget: int) -> TokenizedBatch:
        """Cut each query and document to ``budget`` tokens together, and set them in."""
        kept = [longest_first(len(query), len(document), budget) for query, document in texts]
        pieces: list[_Ids] = []
        before, between, after = (
            np.array(ids, np.int32) for ids in (self.before, self.between, self.after)
        )
        for (query, document), (first, second) in zip(texts, kept, strict=True):
            pieces += (before, query[:first], between, document[:second], after)
        sizes = np.array(kept, np.int64).reshape(-1, 2)
        whole = np.array([[len(part) for part in pair] for pair in texts], np.int64).reshape(-1, 2)
        types = np.array([self.query_is_first, self.document_is_first], np.int64)
        return TokenizedBatch(
            ids=np.concatenate([before[:0], *pieces]),
            offsets=offsets_of(self.specials + sizes.sum(1)),
            first_segments=(self.first_specials + sizes @ types).astype(np.int32),
            truncated=np.any(sizes < whole, axis=1),
        )


def longest_first(first: int, second: int, budget: int) -> tuple[int, int]:
    """Return how many tokens of each text to keep so that both fit into ``budget`` together.

    This is ``truncate_encodings`` of tokenizers' ``utils/truncation.rs``: the longer text is cut
    to what the shorter one leaves, and when that is not enough both get half.
    """
    if first + second <= budget:
        return first, second
    short, long = min(first, second), max(first, second)
    long = short if short > budget else max(short, budget - short)
    if short + long > budget:
        short = budget // 2
        long = short + budget % 2
    return (long, short) if first > second else (short, long)


class HuggingFaceTokenizer(OfThisProcess):
    """See :class:`edge_rerank.tokenizing.protocol.Tokenizer`.

    A query is encoded once however many documents it is paired with: texts are encoded alone, cut
    with the library's "longest first" rule, and set into the pair template that the tokenizer's
    own post-processor uses.
    """

    name: TokenizerName = "tokenizers"

    def __init__(
        self, path: Path, *, max_length: int, threads: int = 1, why: str = "it was asked for"
    ) -> None:
        """Read ``path``; no pair will have more than ``max_length`` tokens.

        ``why`` the library is needed is part of what is said when it is missing.

        Raises TokenizerError when the library cannot be imported, or the file cannot be read or
        cannot encode pairs, and InputError when ``max_length`` leaves no room for a token of each
        text.
        """
        self._tokenizer = _load(_import_library(why), path)
        self._template = _pair_template(self._tokenizer, path)
        least = self._template.specials + 2
        if max_length < least:
            raise InputError(
                f"max_length is {max_length}; at least {least} are needed: "
                f"{self._template.specials} special tokens and one of each text"
            )
        self._budget = max_length - self._template.specials
        # The library's pool has as many threads as the process may use, and cannot be given
        # fewer without changing the environment of the whole process.
        self._parallel = 1 < threads >= usable_threads()

    def encode(self, pairs: Sequence[Pair]) -> TokenizedBatch:
        """Encode each pair, in order; a query met again is not encoded again."""
        queries = list(dict.fromkeys(query for query, _ in pairs))
        encoded = dict(zip(queries, self._encode_texts(queries), strict=True))
        documents = self._encode_texts([document for _, document in pairs])
        texts = [
            (encoded[query], document)
            for (query, _), document in zip(pairs, documents, strict=True)
        ]
        return self._template.join(texts, self._budget)

    def _encode_texts(self, texts: Sequence[str]) -> list[_Ids]:
        with _failures_as("the tokenizer failed on a text"):
            if self._parallel and len(texts) >= _PARALLEL_FROM:
                encode_all = self._tokenizer.encode_batch_fast
                return [
                    np.array(encoding.ids, np.int32)
                    for some in calls([len(text) for text in texts], len(texts))
                    for encoding in encode_all(list(texts[some]), add_special_tokens=False)
                ]
            encode = self._tokenizer.encode
            return [
                np.array(encode(text, add_special_tokens=False).ids, np.int32) for text in texts
            ]


@contextmanager
def _failures_as(what: str) -> Iterator[None]:
    """Make TokenizerErrors, which begin with ``what``, of whatever the library raises."""
    try:
        yield
    except TokenizerError:
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise TokenizerError(f"{what}: {error}") from error
        raise


def _import_library(why: str) -> Any:
    """Import the library, which is slow to import, and needed for some files alone."""
    try:
        library: Any = import_module("tokenizers")
        library.Tokenizer  # noqa: B018 - a half-removed package is an empty namespace
    except (ImportError, AttributeError) as error:
        raise TokenizerError(
            f"the library tokenizers cannot be imported: {error}; it is needed here ({why}): "
            "python -m pip install 'tokenizers>=0.21,<1'"
        ) from error
    return library


def _load(library: Any, path: Path) -> Any:
    with _failures_as(f"{path}: not a tokenizer.json that can be read"):
        tokenizer = library.Tokenizer.from_file(library_path(path))
    # Files in the wild carry the settings of whatever was last done with them, such as a
    # truncation to 128 tokens and padding to a fixed length.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _pair_template(tokenizer: Any, path: Path) -> PairTemplate:
    """Learn the template from one pair, by which part of it each token belongs to."""
    with _failures_as(f"{path}: cannot encode a pair"):
        encoding = tokenizer.encode("a", "a")
    parts = encoding.sequence_ids
    if 0 not in parts or 1 not in parts:
        raise TokenizerError(f"{path}: the tokenizer gives no token for the letter 'a'")
    query = [place for place, part in enumerate(parts) if part == 0]
    document = [place for place, part in enumerate(parts) if part == 1]
    types = encoding.type_ids
    in_order = query[-1] < document[0] and types == sorted(types) and set(types) <= {0, 1}
    if not in_order or not _contiguous(query) or not _contiguous(document):
        raise TokenizerError(
            f"{path}: the pair template is not query before document, types 0 before 1"
        )
    ids, specials = encoding.ids, [place for place, part in enumerate(parts) if part is None]
    return PairTemplate(
        before=tuple(ids[: query[0]]),
        between=tuple(ids[query[-1] + 1 : document[0]]),
        after=tuple(ids[document[-1] + 1 :]),
        first_specials=sum(types[place] == 0 for place in specials),
        query_is_first=types[query[0]] == 0,
        document_is_first=types[document[0]] == 0,
    )


def _contiguous(places: list[int]) -> bool:
    return places == list(range(places[0], places[-1] + 1))
