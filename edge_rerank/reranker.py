"""The facade: load a model, rank documents for a query, score pairs."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, SupportsIndex

from edge_rerank import inputs
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import Artifact, load_artifact
from edge_rerank.description import Description, EngineChoice, Kernel, Scores
from edge_rerank.engines.choose import check_choice, create_engine
from edge_rerank.engines.protocol import Engine
from edge_rerank.errors import ClosedError, EngineError
from edge_rerank.loading.parts import open_parts
from edge_rerank.loading.self_check import check_at_load, check_rounding
from edge_rerank.machine.threads import resolve_threads
from edge_rerank.pairs import Pair
from edge_rerank.results import Document, RankedDocument, ScoredPair, activate
from edge_rerank.tokenizing.choose import PairTokenizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AT_A_TIME = 256
"""Pairs tokenised and scored at a time: enough for full batches, few enough that a million
documents need no more memory than a thousand, and that progress shows on a small board."""


class Reranker:
    """A cross-encoder that scores how well documents answer a query.

    Made with :meth:`load`. Safe to use from several threads at once. Close it, or use it in a
    ``with`` statement, to free its memory early.
    """

    def __init__(self, artifact: Artifact, tokenizer: PairTokenizer, engine: Engine) -> None:
        """Join parts that are already open; :meth:`load` is what most callers want."""
        self._artifact = artifact
        self._tokenizer: PairTokenizer | None = tokenizer
        self._engine: Engine | None = engine
        self._process = os.getpid()

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        threads: SupportsIndex | None = None,
        max_length: SupportsIndex | None = None,
        engine: EngineChoice = "auto",
        kernel: Kernel | None = None,
        verify: bool = True,
        self_check: bool = True,
    ) -> Reranker:
        """Open an artifact's folder, or the model that comes with this package.

        Args:
            path: the folder; None is the built-in model.
            threads: how many to use; None is the environment variable EDGE_RERANK_THREADS, or
                else all that this process may use.
            max_length: most tokens of a pair, special tokens included; None is the model's own.
            engine: ``native``, ``onnxruntime``, or ``auto``: the native engine where it was built
                and can run the model, ONNX Runtime elsewhere; :meth:`describe` says why.
            kernel: which of the native engine's kernels runs, such as ``avx2`` or ``scalar``, for
                tests and support: the scores are the same bits with each. None is the environment
                variable EDGE_RERANK_KERNEL, or else the fastest one for this CPU.
            verify: check every file's SHA-256. Sizes are checked in any case.
            self_check: score two of the artifact's probe pairs, in milliseconds, and compare them
                with the fp32 model's logits, so that no machine gives garbage in silence.

        Raises:
            ArtifactError: the folder is not a complete, unaltered artifact.
            InputError: a parameter, or EDGE_RERANK_THREADS or EDGE_RERANK_KERNEL, is out of range.
            EngineError: the engine cannot be started.
            ParityError: the self-check found other scores than the artifact promises.
        """
        count = resolve_threads(threads)
        check_choice(engine, kernel)
        if self_check:
            check_rounding()
        artifact = load_artifact(builtin_model() if path is None else path, verify=False)
        length = inputs.max_length(max_length, artifact.manifest.max_length)
        start = partial(
            create_engine, artifact, name=engine, threads=count, max_length=length, kernel=kernel
        )
        read = partial(
            PairTokenizer, artifact.file("tokenizer.json"), max_length=length, threads=count
        )
        tokenizer, running = open_parts(artifact, start, read, engine=engine, verify=verify)
        if self_check:
            _check_or_close(artifact, tokenizer, running)
        return cls(artifact, tokenizer, running)

    @property
    def artifact(self) -> Artifact:
        """The artifact it runs from; still there after :meth:`close`."""
        return self._artifact

    @property
    def max_length(self) -> int:
        """Most tokens of a pair, special tokens included. Raises ClosedError after close."""
        return self._parts()[0].max_length

    def describe(self) -> Description:
        """Say which engine and tokenizer run, and how. Raises ClosedError after close."""
        tokenizer, engine = self._parts()
        return Description.of(engine.describe(), tokenizer.name, tokenizer.why)

    def rank(
        self,
        query: str,
        documents: Iterable[Document],
        *,
        top_k: SupportsIndex | None = None,
        return_documents: bool = False,
        scores: Scores | None = None,
        text_field: str = "text",
        progress: Callable[[int], None] | None = None,
    ) -> list[RankedDocument]:
        """Rank documents by how well they answer a query, best first, ties by input order.

        Args:
            query: the question or search words.
            documents: strings, or mappings with the text under ``text_field``; any iterable.
            top_k: give only so many of the best; None is all.
            return_documents: put each document, the same object, into its result.
            scores: ``sigmoid`` (0 to 1) or ``logits``; None is what the model was made for, as
                sentence-transformers' CrossEncoder gives it: the sigmoid, unless its checkpoint
                asks for another activation.
            text_field: where the text of a mapping lies.
            progress: called with the number of documents scored so far, as it grows.

        Raises:
            InputError: the query or a document is not usable text, or a parameter is out of
                range; the message says which.
            EngineError: the model failed.
            ClosedError: the reranker has been closed.
        """
        keep = inputs.top_k(top_k)
        activation = self._activation(scores)
        waiting: dict[int, Document] | None = {} if return_documents else None
        pairs = inputs.query_pairs(query, documents, text_field, waiting)
        self._parts()
        scored = enumerate(self._score(pairs, activation))
        ranked = (_ranked(index, pair, waiting) for index, pair in _watched(scored, progress))
        # Both keep the input order of equal logits; the second holds no more than it gives.
        if keep is None:
            return sorted(ranked, key=_best_first)
        return heapq.nsmallest(keep, ranked, key=_best_first)

    def score(
        self,
        pairs: Iterable[Pair],
        *,
        scores: Scores | None = None,
        at_a_time: SupportsIndex = AT_A_TIME,
    ) -> Iterator[ScoredPair]:
        """Score (query, document) pairs as they come, in input order, in constant memory.

        So many pairs are taken before the first of them is given back: more are faster, one
        alone is answered at once. Raises what :meth:`rank` does, when the results are asked for;
        the parameters and a closed reranker are checked at once.
        """
        activation, chunk = self._activation(scores), inputs.at_a_time(at_a_time)
        checked = inputs.checked_pairs(pairs)
        self._parts()
        return self._score(checked, activation, chunk)

    def predict(
        self, pairs: Iterable[Pair], *, scores: Scores | None = None
    ) -> NDArray[np.float32]:
        """Score (query, document) pairs; gives float32 of shape ``[len(pairs)]``, in input order.

        Raises what :meth:`rank` does.
        """
        import numpy as np

        return np.fromiter((pair.score for pair in self.score(pairs, scores=scores)), np.float32)

    def close(self) -> None:
        """Free the model. A second call does nothing; any other use raises ClosedError."""
        engine, self._engine, self._tokenizer = self._engine, None, None
        if engine is not None:
            engine.close()

    def __enter__(self) -> Reranker:
        """Give the reranker itself; it is closed at the end of the ``with`` block."""
        self._parts()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the reranker."""
        self.close()

    def _parts(self) -> tuple[PairTokenizer, Engine]:
        if self._tokenizer is None or self._engine is None:
            raise ClosedError("this reranker is closed; load a new one with Reranker.load()")
        if self._process != os.getpid():
            # A fork copies memory but no threads: the engine would wait for its own for ever.
            raise EngineError(
                f"this reranker was loaded in process {self._process}, and this is {os.getpid()}, "
                "forked from it; load one in each process"
            )
        return self._tokenizer, self._engine

    def _activation(self, scores: Scores | None) -> str:
        return inputs.activation(scores, self._artifact.manifest.activation)

    def _score(
        self, pairs: Iterator[Pair], activation: str, at_a_time: int = AT_A_TIME
    ) -> Iterator[ScoredPair]:
        while chunk := list(islice(pairs, at_a_time)):
            tokenizer, engine = self._parts()
            encoded = tokenizer.encode(chunk)
            logits = engine.logits(encoded)
            shown = activate(logits, activation)
            columns = (shown, logits, encoded.lengths, encoded.truncated)
            yield from map(ScoredPair, *(column.tolist() for column in columns))


def _check_or_close(artifact: Artifact, tokenizer: PairTokenizer, engine: Engine) -> None:
    try:
        check_at_load(artifact, tokenizer, engine)
    except BaseException:
        engine.close()
        raise


def _best_first(result: RankedDocument) -> float:
    # By logit: the sigmoid of large logits is 1.0 for all of them.
    return -result.logit


def _watched(
    scored: Iterator[tuple[int, ScoredPair]], progress: Callable[[int], None] | None
) -> Iterator[tuple[int, ScoredPair]]:
    for index, pair in scored:
        if progress is not None:
            progress(index + 1)
        yield index, pair


def _ranked(index: int, pair: ScoredPair, waiting: dict[int, Document] | None) -> RankedDocument:
    document = None if waiting is None else waiting.pop(index)
    return RankedDocument(index, pair.score, pair.logit, pair.tokens, pair.truncated, document)
