"""What a checkpoint says, beside its weights, about how a pair of texts becomes a score.

sentence-transformers' CrossEncoder is the reference: what it reads is applied here, or refused by
name, or known to leave scores as they are. A member that is not known is refused as well, so that
nothing that may change a score is dropped in silence. ``quantized/README.md`` has the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_rerank.results import ACTIVATIONS

from .errors import CheckpointError, ExportError
from .modules import FILE as _MODULES
from .modules import HeadModules, read_modules

_MODEL = "config_sentence_transformers.json"
_TEXTS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
FILES = (_MODEL, _MODULES, *_TEXTS)
"""All that is read here, if it is there, but for ``config.json``."""

_ACTIVATIONS = {"Sigmoid": "sigmoid", "Identity": "identity", "Tanh": "tanh"}
NO_PROMPT = "none"
"""What may be chosen in place of a prompt's name."""
_REMEDY = "take it out if it leaves scores as they are"
# What a file may hold that changes no score, or is looked at by a function of its own.
_OF_MODEL = ("__version__", "model_type", "similarity_fn_name", "activation_fn", "prompts")
_OF_MODEL_TOO = ("default_prompt_name",)
_OF_TEXTS = ("max_seq_length", "do_lower_case", "unpad_inputs")
_ONE_VALUE = {
    "transformer_task": "sequence-classification",
    "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}},
    "module_output_name": "scores",
}
_OF_MODULES = {
    "transformer_task": "feature-extraction",
    "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    "module_output_name": "token_embeddings",
}
"""The same, where modules follow the transformer."""
_MODEL_ARGUMENTS = ("model_args", "model_kwargs")
_HOW_IT_IS_COMPUTED = (
    *("torch_dtype", "dtype", "attn_implementation", "device_map"),
    *("low_cpu_mem_usage", "use_safetensors", "trust_remote_code"),
)


@dataclass(frozen=True, slots=True)
class Scoring:
    """How CrossEncoder would treat texts and logits of a checkpoint."""

    stated: Mapping[str, str]
    """Activations that the checkpoint names, under the place where it does."""
    max_length: int | None
    """Most tokens of a pair, where it is stated beside the tokenizer."""
    prompts: Mapping[str, str]
    """Texts that can be put before a query, under their names; none of them is empty."""
    default_prompt: str | None
    """Name of the one that CrossEncoder puts before each query."""
    note: str | None = None
    """What of the folder was left alone, where the user may think otherwise."""
    modules: HeadModules | None = None
    """The head, where it is not the transformer's own."""

    def prompt(self, chosen: str | None) -> str:
        """Return what is put before each query: the prompt that was chosen, or the default one.

        Raises ExportError for a name that the checkpoint does not have.
        """
        name = self.default_prompt if chosen is None else chosen
        if name is None:
            return ""
        if name in self.prompts:
            return self.prompts[name]
        if name == NO_PROMPT:
            return ""
        known = ", ".join([*self.prompts, NO_PROMPT])
        raise ExportError(f"prompt is {name!r}; expected one of {known}")

    def activation(self, chosen: str | None, *, two_logits: bool = False) -> str:
        """Name what makes a logit a score: what was chosen, what is stated, or the sigmoid.

        Of the difference of two logits the sigmoid is their softmax; what is stated about such a
        head applies to each of the two, so that all but Identity is refused unless one is chosen.

        Raises CheckpointError for one that artifacts cannot have, and for contradictions.
        """
        if chosen is not None:
            if chosen not in ACTIVATIONS:
                expected = ", ".join(ACTIVATIONS)
                raise ExportError(f"activation is {chosen!r}; expected one of {expected}")
            return chosen
        remedy = f"choose what scores are with --activation {'|'.join(ACTIVATIONS)}"
        found = {where: _known(path) for where, path in self.stated.items()}
        for where, name in found.items():
            if name is None:
                raise CheckpointError(
                    f"{where} is {self.stated[where]!r}; known are torch.nn.Sigmoid, "
                    f"torch.nn.Identity and torch.nn.Tanh; {remedy}"
                )
        if len(set(found.values())) > 1:
            stated = ", ".join(f"{where} is {path!r}" for where, path in self.stated.items())
            raise CheckpointError(f"activations contradict one another: {stated}; {remedy}")
        if two_logits:
            _check_of_two(self.stated, found, remedy)
            return "sigmoid"
        return next(iter(found.values()), None) or "sigmoid"


def read_scoring(folder: Path, config: Mapping[str, Any]) -> Scoring:
    """Read what a checkpoint's folder says; ``config`` is its ``config.json``.

    Raises CheckpointError for whatever changes scores in a way that cannot be kept.
    """
    model, note, modules = _read(folder / _MODEL), None, None
    if model.get("model_type") == "CrossEncoder" and (folder / _MODULES).is_file():
        modules = read_modules(folder)
    else:
        note = _left_alone(model)
        model = {}
    _refuse_unknown(folder / _MODEL, model, (*_OF_MODEL, *_OF_MODEL_TOO))
    prompts = _prompts(folder / _MODEL, model)
    texts = next((name for name in _TEXTS if (folder / name).is_file()), _TEXTS[0])
    return Scoring(
        stated=dict(_stated(folder, model, config)),
        max_length=_check_texts(folder / texts, _read(folder / texts), modules),
        prompts={name: prompt for name, prompt in prompts.items() if prompt},
        default_prompt=_default_prompt(folder / _MODEL, model, prompts),
        note=note,
        modules=modules,
    )


def _stated(
    folder: Path, model: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Name all places of an activation, the one that CrossEncoder takes first coming first."""
    nested = config.get("sentence_transformers")
    places = {
        f"{folder / _MODEL}: activation_fn": model.get("activation_fn"),
        f"{folder / 'config.json'}: sentence_transformers.activation_fn": (
            nested.get("activation_fn") if isinstance(nested, dict) else nested
        ),
        f"{folder / 'config.json'}: sbert_ce_default_activation_function": config.get(
            "sbert_ce_default_activation_function"
        ),
    }
    yield from ((where, str(path)) for where, path in places.items() if path is not None)


def _known(path: str) -> str | None:
    package, _, name = path.rpartition(".")
    return _ACTIVATIONS.get(name) if f"{package}.".startswith("torch.nn.") else None


def _left_alone(model: Mapping[str, Any]) -> str | None:
    """Say that settings are left alone that might have mattered."""
    if not any(model.get(name) for name in ("activation_fn", "prompts", "default_prompt_name")):
        return None
    return (
        f"{_MODEL} is left alone, as sentence-transformers' CrossEncoder does unless its "
        f"model_type is CrossEncoder and a {_MODULES} lies beside it"
    )


def _check_of_two(stated: Mapping[str, str], found: Mapping[str, str | None], remedy: str) -> None:
    for where, name in found.items():
        if name != "identity":
            raise CheckpointError(
                f"{where} is {stated[where]!r}, of each of the two logits; their difference has no "
                f"such score; {remedy}"
            )


def _prompts(path: Path, model: Mapping[str, Any]) -> dict[str, str]:
    """Read all prompts; null is an empty one, as to CrossEncoder."""
    prompts = model.get("prompts") or {}
    if not isinstance(prompts, dict):
        _refuse(path, "prompts", prompts, "expected an object of texts under their names")
    found = {name: "" if prompt is None else prompt for name, prompt in prompts.items()}
    for name, prompt in found.items():
        if not isinstance(prompt, str) or "\0" in prompt:
            _refuse(path, f"the prompt {name!r}", prompt, "expected a text without NUL")
    return found


def _default_prompt(path: Path, model: Mapping[str, Any], prompts: Mapping[str, str]) -> str | None:
    name: Any = model.get("default_prompt_name")
    if name is None:
        return None
    if not isinstance(name, str) or name not in prompts:
        known = ", ".join(prompts) or "none"
        _refuse(path, "default_prompt_name", name, f"it has no such prompt (known: {known})")
    return str(name) if prompts[name] else None


def _check_texts(path: Path, texts: Mapping[str, Any], modules: HeadModules | None) -> int | None:
    """Check how texts are tokenised; return the most tokens, where that is stated."""
    members = dict(texts)
    for name, expected in (_OF_MODULES if modules else _ONE_VALUE).items():
        if members.pop(name, expected) not in (expected, None):
            _refuse(path, name, texts[name], f"known is {expected!r}")
    for name in _MODEL_ARGUMENTS:
        _refuse_unknown(path, members.pop(name, None) or {}, _HOW_IT_IS_COMPUTED)
    if members.get("do_lower_case"):
        _refuse(path, "do_lower_case", True, "edge-rerank uses tokenizer.json as it is: put "
                "the lower-casing into its normalizer, and set this to false")  # fmt: skip
    _refuse_unknown(path, members, _OF_TEXTS)
    length = members.get("max_seq_length")
    return length if isinstance(length, int) and length > 0 else None


def _refuse_unknown(path: Path, members: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name, value in members.items():
        if name not in known and value not in (None, False, "", [], {}):
            _refuse(path, name, value, f"edge-rerank does not know it; {_REMEDY}")


def _refuse(path: Path, name: str, value: object, reason: str) -> None:
    raise CheckpointError(f"{path}: {name} is {value!r}; {reason}")


def _read(path: Path, kind: type = dict) -> Any:
    """Read a JSON file; without one it is as if it held nothing."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return kind()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(value, kind):
        raise CheckpointError(f"{path}: holds {type(value).__name__}, expected {kind.__name__}")
    return value
