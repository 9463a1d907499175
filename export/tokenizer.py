"""The checkpoint's ``tokenizer.json``: as it is, or made of SentencePiece's file; then checked."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_rerank.errors import TokenizerError
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank.tokenizing.vocabulary import read_vocabulary, token_beyond

from .errors import CheckpointError, ExportError
from .quiet import quiet

if TYPE_CHECKING:
    from .checkpoint import Checkpoint

_FILE, _SENTENCEPIECE, _SETTINGS = "tokenizer.json", "spm.model", "tokenizer_config.json"
FILES = (_FILE, _SENTENCEPIECE, _SETTINGS, "added_tokens.json", "special_tokens_map.json")
"""All that a tokenizer may consist of."""
_SOME_LENGTH = 64
"""More than the shortest pair has."""


def check_tokenizer_files(folder: Path) -> None:
    """Raise CheckpointError unless there is something to make a tokenizer of."""
    if not any((folder / name).is_file() for name in (_FILE, _SENTENCEPIECE)):
        raise CheckpointError(
            f"{folder}: has neither {_FILE} nor {_SENTENCEPIECE}; copy the checkpoint again, its "
            "tokenizer too"
        )


def tokenizer_file(checkpoint: Checkpoint, scratch: Path) -> Path:
    """Return the checkpoint's own ``tokenizer.json``, or one made in ``scratch``.

    Raises CheckpointError for a tokenizer that gives ids which the model lacks, and for settings
    beside it under which transformers would give other ids.
    """
    path = checkpoint.folder / _FILE
    if not path.is_file():
        path = _converted(checkpoint.folder, scratch)
    try:
        beyond = token_beyond(path, checkpoint.architecture.vocab_size)
        if beyond is not None:
            raise CheckpointError(
                f"{path}: {beyond}: the tokenizer is another model's, or the model was not "
                "resized to it (model.resize_token_embeddings)"
            )
        _check_settings(checkpoint, read_vocabulary(path))
        if checkpoint.architecture.segments:
            _check_template(path)
    except TokenizerError as error:
        raise CheckpointError(str(error)) from error
    return path


def _check_template(path: Path) -> None:
    """Raise CheckpointError unless both texts of a pair are set in the same special tokens."""
    pair = PairTokenizer(path, max_length=_SOME_LENGTH).encode([("a", "a")])
    ids, first = pair.ids.tolist(), int(pair.first_segments[0])
    if ids[:first] != ids[first:]:
        raise CheckpointError(
            f"{path}: the pair template does not set both texts in the same special tokens, with "
            "types 0 and 1; the model reads them apart, and needs one such as "
            "[CLS] $A [SEP] [CLS]:1 $B:1 [SEP]:1"
        )


def _converted(folder: Path, scratch: Path) -> Path:
    """Convert SentencePiece's file as transformers does."""
    if importlib.util.find_spec("sentencepiece") is None:
        raise ExportError(
            f"{folder}: has {_SENTENCEPIECE} and no {_FILE}; converting it needs the package "
            "sentencepiece, a part of the exporter's extra"
        )
    from transformers import DebertaV2TokenizerFast

    try:
        with quiet():
            made = DebertaV2TokenizerFast.from_pretrained(folder, local_files_only=True)
            made.backend_tokenizer.save(str(scratch / _FILE))
    except Exception as error:  # whatever three libraries raise, the user needs to know where
        raise CheckpointError(
            f"{folder / _SENTENCEPIECE}: transformers cannot convert it: {error}"
        ) from error
    return scratch / _FILE


def _check_settings(checkpoint: Checkpoint, tokens: dict[str, int]) -> None:
    path = checkpoint.folder / _SETTINGS
    settings = _read(path)
    if settings.get("truncation_side", "right") != "right":
        raise CheckpointError(
            f"{path}: truncation_side is {settings['truncation_side']!r}; edge-rerank cuts texts "
            "at their end: set it to 'right' if the model was trained so"
        )
    inputs = settings.get("model_input_names")
    if checkpoint.architecture.token_types and inputs and "token_type_ids" not in inputs:
        raise CheckpointError(
            f"{path}: model_input_names has no 'token_type_ids', but the model has token types: "
            "transformers would give it type 0 alone; name them, or set type_vocab_size to 0"
        )
    stated = {
        str(token["content"] if isinstance(token, dict) else token): int(number)
        for number, token in (settings.get("added_tokens_decoder") or {}).items()
    }
    for place, named in ((path, stated), (checkpoint.folder / "added_tokens.json", None)):
        for token, number in (_read(place) if named is None else named).items():
            if tokens.get(token) != number:
                raise CheckpointError(
                    f"{place}: adds the token {token!r} as id {number}, and the tokenizer has "
                    f"{tokens.get(token, 'none')}: make {_FILE} anew with transformers: "
                    "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
                )


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: holds {type(value).__name__}, expected an object")
    return value
