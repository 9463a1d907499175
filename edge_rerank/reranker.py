"""The facade: load a model, rank documents for a query, score pairs."""

from __future__ import annotations

import heapq
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex, TypeVar, overload

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import Artifact, load_artifact
from edge_rerank.description import Description, EngineChoice, Kernel, Scores, ThreadsChoice
from edge_rerank.ending import NO_LIMITS, CancelToken, Limits
from edge_rerank.engines.choose import check_choice, create_engine
from edge_rerank.engines.protocol import Engine
from edge_rerank.errors import ClosedError, InputError, shown
from edge_rerank.handles import OpenedHere
from edge_rerank.inputs import parameters, texts
from edge_rerank.loading.parts import open_parts
from edge_rerank.loading.self_check import check_at_load, check_rounding
from edge_rerank.loading.settings import Settings
from edge_rerank.machine.blas import import_numpy
from edge_rerank.machine.floats import default_floats
from edge_rerank.machine.threads import AUTO, resolve_threads
from edge_rerank.pairs import Pair, check_text
from edge_rerank.results import Document, RankedDocument, ScoredPair
from edge_rerank.scoring import LimitedEngine, score_stream
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank.windows.options import LongDocuments, Reading, Windows, reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_rerank.scoring import Parts

D = TypeVar("D")
DocumentT = TypeVar("DocumentT", bound=Document)

AT_A_TIME = 256
"""Pairs tokenised and scored at a time: enough for full batches, few enough that a million
documents need no more memory than a thousand, and that progress shows on a small board."""


class Reranker:
    """A cross-encoder that scores how well documents answer a query.

    Made with :meth:`load`. Safe to use from several threads at once. Close it, or use it in a
    ``with`` statement, to free its memory early.
    """

    _artifact: Artifact
    _settings: Settings
    _open: tuple[PairTokenizer, Engine] | None
    """Read and replaced as one, so that another thread's :meth:`close` is seen whole."""
    _here: OpenedHere

    def __init__(self, *arguments: object, **keywords: object) -> None:
        """Refuse: a model is opened with :meth:`load`."""
        given = [
            *map(shown, arguments),
            *(f"{key}={shown(value)}" for key, value in keywords.items()),
        ]
        raise InputError(f"a model is opened with Reranker.load({', '.join(given)})")

    @classmethod
    @default_floats()
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        threads: SupportsIndex | ThreadsChoice | None = None,
        max_length: SupportsIndex | None = None,
        engine: EngineChoice = "auto",
        kernel: Kernel | None = None,
        map_weights: bool = False,
        verify: bool = True,
        self_check: bool = True,
    ) -> Reranker:
        """Open an artifact's folder, or the model that comes with this package.

        Args:
            path: the folder; None is the built-in model. ``~`` is the user's home.
            threads: how many to use; None is the environment variable EDGE_RERANK_THREADS, or
                else all that this process may use, which is what ``auto`` says.
            max_length: most tokens of a pair, special tokens included; None is the model's own.
            engine: ``native``, ``onnxruntime``, or ``auto``: the native engine where it was built
                and can run the model, ONNX Runtime elsewhere; :meth:`describe` says why.
            kernel: which of the native engine's kernels runs, such as ``avx2`` or ``scalar``, for
                tests and support: the scores are the same bits with each. None is the environment
                variable EDGE_RERANK_KERNEL, or else the fastest one for this CPU.
            map_weights: map the large weights rather than copy them: less memory, shared by all
                processes that load the model, but its files must then only be replaced by renaming
                others to them. One that is written over in place gives an ArtifactError, or with
                ONNX Runtime wrong scores, and one that gets shorter can end the process.
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
        import_numpy()
        if self_check:
            check_rounding()
        artifact = load_artifact(builtin_model() if path is None else path, verify=False)
        length = parameters.max_length(max_length, artifact.manifest.max_length)
        start = partial(
            create_engine,
            artifact,
            name=engine,
            threads=count,
            max_length=length,
            kernel=kernel,
            map_weights=map_weights,
        )
        read = partial(
            PairTokenizer,
            artifact.file("tokenizer.json"),
            max_length=length,
            threads=count,
            prompt=artifact.manifest.prompt,
        )
        tokenizer, running = open_parts(
            artifact, start, read, engine=engine, verify=verify, threads=count
        )
        if self_check:
            _check_or_close(artifact, tokenizer, running)
        self = cls.__new__(cls)
        self._artifact, self._open = artifact, (tokenizer, running)
        self._here = OpenedHere("reranker")
        self._settings = Settings(
            path=None if path is None else artifact.path,
            threads=None if threads in (None, AUTO) else count,
            max_length=None if max_length is None else length,
            engine=engine,
            kernel=kernel,
            map_weights=map_weights,
            verify=verify,
            self_check=self_check,
        )
        return self

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

    @overload
    def rank(
        self,
        query: str,
        documents: Iterable[DocumentT],
        *,
        top_k: SupportsIndex | None = None,
        return_documents: bool = False,
        scores: Scores | None = None,
        long_documents: LongDocuments | Windows = "truncate",
        query_max_tokens: SupportsIndex | None = None,
        text_field: str = "text",
        text_of: None = None,
        progress: Callable[[int], None] | None = None,
        timeout: SupportsFloat | None = None,
        cancel: CancelToken | None = None,
    ) -> list[RankedDocument[DocumentT]]: ...

    @overload
    def rank(
        self,
        query: str,
        documents: Iterable[D],
        *,
        top_k: SupportsIndex | None = None,
        return_documents: bool = False,
        scores: Scores | None = None,
        long_documents: LongDocuments | Windows = "truncate",
        query_max_tokens: SupportsIndex | None = None,
        text_of: Callable[[D], str],
        progress: Callable[[int], None] | None = None,
        timeout: SupportsFloat | None = None,
        cancel: CancelToken | None = None,
    ) -> list[RankedDocument[D]]: ...

    def rank(
        self,
        query: str,
        documents: Iterable[D],
        *,
        top_k: SupportsIndex | None = None,
        return_documents: bool = False,
        scores: Scores | None = None,
        long_documents: LongDocuments | Windows = "truncate",
        query_max_tokens: SupportsIndex | None = None,
        text_field: str = "text",
        text_of: Callable[[D], str] | None = None,
        progress: Callable[[int], None] | None = None,
        timeout: SupportsFloat | None = None,
        cancel: CancelToken | None = None,
    ) -> list[RankedDocument[D]]:
        """Rank documents by how well they answer a query, best first, ties by input order.

        Documents that show nothing, being empty, blank or of invisible characters, come last,
        whatever the model makes of them.

        Args:
            query: the question or search words.
            documents: strings, or mappings with the text under ``text_field``, or anything that
                ``text_of`` takes the text of. Lists and all else that has a length are checked
                before anything is computed.
            top_k: how many of the best to return; None is all.
            return_documents: put each document, the same object, into its result.
            scores: ``sigmoid`` (0 to 1) or ``logits``; None is what the model was made for, as
                sentence-transformers' CrossEncoder gives it: the sigmoid, unless its checkpoint
                asks for another activation.
            long_documents: ``truncate`` cuts what does not fit; ``windows`` reads all of it, some
                at a time, and takes the best window's score; a :class:`~edge_rerank.Windows` says
                how.
            query_max_tokens: most tokens of the query, the rest of which is cut. None is what a
                document that is as long leaves to it, or half of each window.
            text_field: where the text of a mapping lies.
            text_of: a function that gives a document's text; then there is no ``text_field``.
            progress: called with the number of documents scored so far, as it grows.
            timeout: most seconds that the call may take; None is any number. It is looked at before
                each piece that the engine computes, some hundred tokens for each thread.
            cancel: ends the call in the same way when its :meth:`~edge_rerank.CancelToken.cancel`
                is called, from another thread.

        Raises:
            InputError: the query or a document is not usable text, or a parameter is out of
                range; the message says which, and ``index`` has the document's place.
            TokenizerError: the tokenizer failed on a document; with its ``index``.
            EngineError: the model failed; with the ``index`` of the document at fault.
            TimedOutError: not all documents were scored within ``timeout``.
            CancelledError: ``cancel`` ended the call.
            ClosedError: the reranker has been closed.
        """
        limits = Limits.of(parameters.timeout(timeout), parameters.cancel(cancel))
        keep = parameters.top_k(top_k)
        activation, how = self._activation(scores), reading(long_documents, query_max_tokens)
        query = check_text(query, "the query")
        checked = texts.checked_documents(documents, text_field, text_of)
        self._parts()
        waiting: deque[tuple[D | None, bool]] = deque()

        def pairs() -> Iterator[Pair]:
            for document, text in checked:
                waiting.append((document if return_documents else None, texts.is_blank(text)))
                yield query, text

        scored = self._scored(pairs(), how, activation, AT_A_TIME, "document", limits)
        ranked = (
            _placed(index, pair, *waiting.popleft())
            for index, pair in _watched(enumerate(scored), progress)
        )
        # Both keep the input order of equal logits; the second holds no more than it gives.
        best = sorted(ranked, key=_place) if keep is None else heapq.nsmallest(keep, ranked, _place)
        return [result for _, result in best]

    def score(
        self,
        pairs: Iterable[Pair],
        *,
        scores: Scores | None = None,
        long_documents: LongDocuments | Windows = "truncate",
        query_max_tokens: SupportsIndex | None = None,
        at_a_time: SupportsIndex = AT_A_TIME,
        timeout: SupportsFloat | None = None,
        cancel: CancelToken | None = None,
    ) -> Iterator[ScoredPair]:
        """Score (query, document) pairs as they come, in input order, in constant memory.

        A pair is any two strings in order, such as a row of an array. ``at_a_time`` pairs are
        taken before the first of them is given back: more are faster, one alone is answered at
        once. ``long_documents``, ``query_max_tokens``, ``timeout`` and ``cancel`` are those of
        :meth:`rank`; the time begins with this call, and what is scored within it is given.

        Parameters, a closed reranker, and pairs that have a length, such as a list, are checked
        at once. Of a stream, all pairs before a bad one, or before whatever the stream itself
        raises, are given first. Raises what :meth:`rank` does.
        """
        limits = Limits.of(parameters.timeout(timeout), parameters.cancel(cancel))
        activation, chunk = self._activation(scores), parameters.at_a_time(at_a_time)
        how = reading(long_documents, query_max_tokens)
        self._parts()
        return self._scored(texts.checked_pairs(pairs), how, activation, chunk, "pair", limits)

    def predict(
        self,
        pairs: Iterable[Pair],
        *,
        scores: Scores | None = None,
        long_documents: LongDocuments | Windows = "truncate",
        query_max_tokens: SupportsIndex | None = None,
        timeout: SupportsFloat | None = None,
        cancel: CancelToken | None = None,
    ) -> NDArray[np.float32]:
        """Score (query, document) pairs; return float32 of shape ``[len(pairs)]``, in input order.

        Raises what :meth:`rank` does.
        """
        import numpy as np

        scored = self.score(
            pairs,
            scores=scores,
            long_documents=long_documents,
            query_max_tokens=query_max_tokens,
            timeout=timeout,
            cancel=cancel,
        )
        return np.fromiter((pair.score for pair in scored), np.float32)

    def close(self) -> None:
        """Free the model. A second call does nothing; any other use raises ClosedError."""
        parts, self._open = self._open, None
        if parts is not None:
            parts[1].close()

    def __repr__(self) -> str:
        """Say which model it is, and what runs it."""
        artifact, parts = self._artifact, self._open
        model = f"{artifact.manifest.name} ({artifact.manifest.precision}) at {artifact.path}"
        if parts is None:
            return f"<Reranker {model}: closed>"
        tokenizer, engine = parts
        return f"<Reranker {model}: engine {engine.name}, at most {tokenizer.max_length} tokens>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Load the same folder with the same settings, where a copy is made or arrives.

        That is what pickle, deepcopy and multiprocessing take: a copy has an engine of its own.
        """
        if self._open is None:
            raise ClosedError("this reranker is closed; only one that is open can be copied")
        return _loaded_again, (type(self), self._settings)

    def __enter__(self) -> Reranker:
        """Return the reranker itself; it is closed at the end of the ``with`` block."""
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
        parts = self._open
        if parts is None:
            raise ClosedError("this reranker is closed; load a new one with Reranker.load()")
        self._here.check()
        return parts

    def _limited(self, limits: Limits) -> tuple[PairTokenizer, LimitedEngine]:
        limits.check()
        tokenizer, engine = self._parts()
        return tokenizer, LimitedEngine(engine, limits)

    def _scored(
        self,
        pairs: Iterator[Pair],
        how: Reading,
        activation: str,
        at_a_time: int,
        noun: str,
        limits: Limits,
    ) -> Iterator[ScoredPair]:
        parts: Parts = self._parts if limits == NO_LIMITS else partial(self._limited, limits)
        stream = score_stream
        if not how.as_they_are:
            from edge_rerank.windows.stream import score_windows  # nobody else needs it

            stream = partial(score_windows, reading=how)
        return stream(pairs, parts, activation=activation, at_a_time=at_a_time, noun=noun)

    def _activation(self, scores: Scores | None) -> str:
        return parameters.activation(scores, self._artifact.manifest.activation)


def _loaded_again(kind: type[Reranker], settings: Settings) -> Reranker:
    return kind.load(**{field.name: getattr(settings, field.name) for field in fields(settings)})


def _check_or_close(artifact: Artifact, tokenizer: PairTokenizer, engine: Engine) -> None:
    try:
        check_at_load(artifact, tokenizer, engine)
    except BaseException:
        engine.close()
        raise


def _watched(
    scored: Iterator[tuple[int, ScoredPair]], progress: Callable[[int], None] | None
) -> Iterator[tuple[int, ScoredPair]]:
    for index, pair in scored:
        if progress is not None:
            progress(index + 1)
        yield index, pair


def _placed(
    index: int, pair: ScoredPair, document: D | None, blank: bool
) -> tuple[tuple[bool, float], RankedDocument[D]]:
    """Return a result, and what it is sorted by."""
    result = RankedDocument(
        index, pair.score, pair.logit, pair.tokens, pair.truncated, document, pair.windows
    )
    # By logit: the sigmoid of large logits is 1.0 for all of them.
    return (blank, -pair.logit), result


def _place(ranked: tuple[tuple[bool, float], RankedDocument[D]]) -> tuple[bool, float]:
    return ranked[0]
