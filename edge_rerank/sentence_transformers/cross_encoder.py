"""The class CrossEncoder: sentence-transformers' names and types, edge-rerank's scores."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from edge_rerank.errors import InputError
from edge_rerank.reranker import Reranker
from edge_rerank.sentence_transformers import keywords as known
from edge_rerank.sentence_transformers.activations import apply, default_activation, torch_for
from edge_rerank.sentence_transformers.inputs import as_pairs, is_one_pair, with_prompt
from edge_rerank.sentence_transformers.progress import progress_bar
from edge_rerank.warning import warn
from edge_rerank.windows.options import LongDocuments, Windows, reading

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_NO_TRAINING = "train with sentence-transformers, and export the result"
_NO_TORCH = "no torch model is behind it; Reranker.load() opens the folder"
_NOT_HERE = {
    **dict.fromkeys(("fit", "old_fit"), _NO_TRAINING),
    **dict.fromkeys(("model", "tokenizer", "processor", "save", "save_pretrained"), _NO_TORCH),
    **dict.fromkeys(("save_to_hub", "push_to_hub", "compile", "forward", "parameters"), _NO_TORCH),
}


class CrossEncoder:
    """Scores pairs as sentence-transformers' CrossEncoder does, on a CPU, without torch.

    docs/frameworks.md says what each keyword means here.
    """

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str] | None = None,
        *positional: Any,
        max_length: int | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        device: Any = None,
        num_labels: int | None = None,
        revision: str | None = None,
        modules: object = None,
        processor_kwargs: Mapping[str, Any] | None = None,
        threads: int | None = None,
        long_documents: LongDocuments | Windows = "truncate",
        query_max_tokens: int | None = None,
        **others: Any,
    ) -> None:
        """Open an exported model; ``threads`` and the last two are ours, see Reranker.

        Raises InputError for a keyword that cannot be followed, and what Reranker.load raises.
        Those without effect are named in one warning.
        """
        given = known.renamed(positional, others)
        model_name_or_path = given.pop("model_name_or_path", model_name_or_path)
        activation_fn = given.pop("activation_fn", activation_fn)
        device, num_labels = given.pop("device", device), given.pop("num_labels", num_labels)
        processor_kwargs = given.pop("processor_kwargs", processor_kwargs)
        length = given.pop("max_length", max_length) or known.length_in(processor_kwargs)
        known.pass_over(given)
        known.check_device(device)
        known.check_labels(num_labels)
        if modules is not None:
            raise InputError("modules= is not supported: an exported model has its own layers")
        self._path, self._threads = _folder(model_name_or_path), threads
        reading(long_documents, query_max_tokens)  # refused here, and not at the first pair
        self._long_documents, self._query_max_tokens = long_documents, query_max_tokens
        self._rerankers: dict[int | None, Reranker] = {}
        self._length = length
        manifest = self._opened(length).artifact.manifest
        known.check_revision(revision, manifest.source.revision, manifest.name)
        self.prompts = {**manifest.prompts, **(prompts or {})}
        self.default_prompt_name = default_prompt_name
        if default_prompt_name is not None and default_prompt_name not in self.prompts:
            self._no_prompt(default_prompt_name)
        self._activation_fn = activation_fn
        self.model_card_data = SimpleNamespace(set_evaluation_metrics=_nothing)
        self.config = SimpleNamespace(
            num_labels=1,
            model_type=manifest.architecture.family,
            pad_token_id=manifest.architecture.pad_token_id,
            name_or_path=str(model_name_or_path or manifest.name),
        )

    @property
    def reranker(self) -> Reranker:
        """The model that scores; closing it is closing this."""
        return self._opened(self._length)

    @property
    def activation_fn(self) -> Callable[[Any], Any]:
        """What makes scores of logits: what was asked for, or else the model's own."""
        if self._activation_fn is None:
            return default_activation(self.reranker.artifact.manifest.activation)
        return self._activation_fn

    @activation_fn.setter
    def activation_fn(self, value: Callable[[Any], Any] | None) -> None:
        self._activation_fn = value

    default_activation_function = activation_fn

    @property
    def max_seq_length(self) -> int:
        """Most tokens of a pair; setting it opens the model again."""
        return self.reranker.max_length

    @max_seq_length.setter
    def max_seq_length(self, value: int | None) -> None:
        self._opened(value)
        self._length = value

    max_length = max_seq_length

    @property
    def num_labels(self) -> int:
        """One score a pair."""
        return 1

    @property
    def device(self) -> Any:
        """The CPU: torch's value for it where torch is in use, or else its name."""
        torch = sys.modules.get("torch")
        return "cpu" if torch is None else torch.device("cpu")

    @property
    def modalities(self) -> list[str]:
        """Text alone."""
        return ["text"]

    def supports(self, modality: str) -> bool:
        """Say whether pairs may be of this kind."""
        return modality == "text"

    def get_backend(self) -> str:
        """Name what computes: ``native`` or ``onnxruntime``."""
        return self.reranker.describe().engine

    def is_singular_input(self, inputs: Any) -> bool:
        """Say whether ``inputs`` is one pair, and not a list of them."""
        return is_one_pair(inputs)

    def predict(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        apply_softmax: bool | None = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        pool: Any = None,
        chunk_size: int | None = None,
        **others: Any,
    ) -> Any:
        """Return scores: float32 of shape [n]; of one pair a scalar; tensors where asked for.

        ``batch_size``, ``pool`` and ``chunk_size`` have no effect: the engine makes its own
        batches, on all threads. One score a pair leaves nothing to ``apply_softmax``.
        """
        inputs, activation_fn = _old_names(inputs, activation_fn, others)
        _check_batch_size(batch_size)
        known.check_device(device)
        reranker = self._opened(known.length_of_call(others) or self._length)
        single = self.is_singular_input(inputs)
        pairs = [as_pairs(inputs)] if single else as_pairs(inputs)
        pairs = with_prompt(pairs, self._before_queries(prompt, prompt_name))
        logits = self._logits(reranker, pairs, show_progress_bar)
        scores = apply(self.activation_fn if activation_fn is None else activation_fn, logits)
        if convert_to_tensor or not convert_to_numpy:
            found: Any = torch_for("tensors").from_numpy(scores.copy())
            return found[0] if single else found if convert_to_tensor else list(found)
        return scores[0] if single else scores if len(scores) else np.array([])

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: Callable[[Any], Any] | None = None,
        device: Any = None,
        pool: Any = None,
        chunk_size: int | None = None,
        **others: Any,
    ) -> list[dict[str, Any]]:
        """Return ``corpus_id`` and ``score`` of each document, and ``text``, best first."""
        _, activation_fn = _old_names(None, activation_fn, others)
        without = {"convert_to_numpy", "convert_to_tensor", "apply_softmax"} & others.keys()
        if without:  # as sentence-transformers: floats come back in any case
            warn(f"CrossEncoder.rank: {', '.join(sorted(without))}: no effect, as there")
            others = {name: value for name, value in others.items() if name not in without}
        if others:
            raise InputError(f"rank has no keyword {', '.join(map(repr, others))}")
        scores = self.predict(
            [[query, document] for document in documents],
            prompt_name=prompt_name,
            prompt=prompt,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            activation_fn=activation_fn,
            device=device,
        ).tolist()
        results: list[dict[str, Any]] = [
            {"corpus_id": place, "score": score} for place, score in enumerate(scores)
        ]
        if return_documents:
            for result, document in zip(results, documents, strict=True):
                result["text"] = document
        return sorted(results, key=lambda result: -result["score"])[:top_k]

    def evaluate(self, evaluator: Callable[..., Any], output_path: str | None = None) -> Any:
        """Run one of sentence-transformers' evaluators."""
        if output_path is not None:
            Path(output_path).mkdir(parents=True, exist_ok=True)
        return evaluator(self, output_path)

    def start_multi_process_pool(self, target_devices: Any = None) -> dict[str, Any]:
        """Return a pool in name: one process computes with all threads."""
        known.check_device(target_devices)
        return {"input": None, "output": None, "processes": []}

    @staticmethod
    def stop_multi_process_pool(pool: Any) -> None:
        """Do nothing: there are no processes to end."""

    def to(self, device: Any = None, *others: Any, **keywords: Any) -> CrossEncoder:
        """Return itself, for the CPU."""
        known.check_device(device)
        return self

    def eval(self) -> CrossEncoder:
        """Return itself: nothing here is trained."""
        return self

    def half(self) -> CrossEncoder:
        """Return itself: an artifact's numbers are as they were exported."""
        warn("CrossEncoder.half(): no effect here; the export chooses the precision")
        return self

    def close(self) -> None:
        """Free the model."""
        for reranker in self._rerankers.values():
            reranker.close()

    def __enter__(self) -> CrossEncoder:
        """Return itself; the model is freed at the end of the block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Free the model."""
        self.close()

    def __getattr__(self, name: str) -> NoReturn:
        """Say why something that a CrossEncoder has is not here."""
        reason = _NOT_HERE.get(name)
        detail = "" if reason is None else f": {reason}"
        raise AttributeError(f"edge_rerank's CrossEncoder has no {name!r}{detail}")

    def _opened(self, length: int | None) -> Reranker:
        if length not in self._rerankers:
            self._rerankers[length] = Reranker.load(
                self._path, threads=self._threads, max_length=length
            )
        return self._rerankers[length]

    def _logits(self, reranker: Reranker, pairs: list[Any], bar: bool | None) -> Any:
        scored = reranker.score(
            pairs,
            scores="logits",
            long_documents=self._long_documents,
            query_max_tokens=self._query_max_tokens,
        )
        with progress_bar(len(pairs), bar) as advance:

            def watched() -> Iterator[float]:
                for pair in scored:
                    advance(1)
                    yield pair.logit

            return np.fromiter(watched(), np.float32, len(pairs))

    def _before_queries(self, prompt: str | None, name: str | None) -> str | None:
        """Return what is to be put there, beside what an exported model puts there by itself."""
        asked, own = self._prompt(prompt, name), self.reranker.artifact.manifest.prompt
        if not own:
            return asked
        if asked in (None, own):
            return None
        raise InputError(
            f"this model puts {own!r} before each query, and not {asked!r}; export it with another "
            "(edge-rerank export --prompt), or leave the prompt out"
        )

    def _prompt(self, prompt: str | None, name: str | None) -> str | None:
        if prompt is not None:
            if name is not None:
                warn("CrossEncoder: both prompt and prompt_name are given; prompt is used")
            return prompt
        name = self.default_prompt_name if name is None else name
        if name is None:
            return None
        return self.prompts[name] if name in self.prompts else self._no_prompt(name)

    def _no_prompt(self, name: str) -> NoReturn:
        raise InputError(f"there is no prompt {name!r}; there are {list(self.prompts)!r}")


def _folder(name: str | os.PathLike[str] | None) -> str | os.PathLike[str] | None:
    """Return the model's folder; raises InputError for a name on the hub, which is not asked."""
    if isinstance(name, str) and _HUB_NAME.fullmatch(name) and not Path(name).exists():
        folder = name.partition("/")[2]
        raise InputError(
            f"{name!r} is no folder here, and nothing is downloaded; export it once: "
            f"edge-rerank export {name} --output {folder}; then CrossEncoder({folder!r})"
        )
    return name


def _old_names(
    inputs: Any, activation_fn: Callable[[Any], Any] | None, others: dict[str, Any]
) -> tuple[Any, Callable[[Any], Any] | None]:
    """Take the names of earlier releases out of the other keywords; today's win over them."""
    named = [name for name in ("sentences", "activation_fct", "num_workers") if name in others]
    if named:
        warn(f"CrossEncoder: {', '.join(named)}: of earlier releases; see docs/frameworks.md")
    sentences, activation_fct = (others.pop(name, None) for name in ("sentences", "activation_fct"))
    others.pop("num_workers", None)
    inputs = sentences if inputs is None else inputs
    return inputs, activation_fct if activation_fn is None else activation_fn


def _check_batch_size(batch_size: int) -> None:
    if batch_size <= 0:
        raise InputError(f"batch_size must be a positive integer, got {batch_size}.")


def _nothing(*arguments: Any, **keywords: Any) -> None:
    pass
