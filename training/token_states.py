"""The encoder's token states of many texts, computed once: the layers below the correction rest.

States are kept in float16, a text behind the other, in a file that is read where it lies: 5.5
million tokens are 4 GB, more than a process should hold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .batches import PairEncoder, by_length, padded_ids
from .kept_rows import digest_of, kept_rows
from .precision import products_in
from .segments import Segment, SegmentReranker

TOKENS_PER_BATCH = 4096
REPORT_TEXTS = 5000


@dataclass(frozen=True)
class TextStates:
    """ids[i]: of text i, special tokens included; its states are rows offsets[i] to offsets[i+1].

    means [texts, h]: unit vectors, the bi-encoder's.
    """

    ids: list[list[int]]
    offsets: np.ndarray
    states: np.ndarray | Tensor
    means: np.ndarray

    def on(self, device: str) -> "TextStates":
        """With the states in a GPU's memory, where each step reads them; as they are on a CPU."""
        if device == "cpu" or isinstance(self.states, Tensor):
            return self
        return replace(self, states=torch.from_numpy(np.array(self.states)).to(device))


def batch_of(texts: Sequence[tuple[TextStates, int]], device: str = "cpu") -> Segment:
    """Some texts, of one collection or of several, padded to the longest."""
    ids, mask = padded_ids([source.ids[text] for source, text in texts], 0)
    sources = list({id(source): source for source, _ in texts}.values())
    states = torch.empty((*ids.shape, sources[0].states.shape[1]), device=device)
    for source in sources:
        rows = [row for row, (own, _) in enumerate(texts) if own is source]
        begins = np.array([source.offsets[texts[row][1]] for row in rows])
        # Beyond a text's end its first token stands, and is masked below.
        tokens = begins[:, None] + np.arange(ids.shape[1]) * mask[rows]
        found = source.states
        if isinstance(found, Tensor):
            own_states = found[torch.from_numpy(tokens).to(device)]
        else:
            own_states = torch.from_numpy(found[tokens]).to(device)
        states[torch.tensor(rows, device=device)] = own_states.float()
    known = torch.from_numpy(mask == 1).to(device)
    return Segment(torch.from_numpy(ids).to(device), known, states * known[..., None])


def wrapped(encoder: PairEncoder, texts: Sequence[str], longest: int) -> list[list[int]]:
    """``[CLS] text [SEP]`` of each text, at most longest ids."""
    return [[encoder.start, *ids[: longest - 2], encoder.end] for ids in encoder.texts(list(texts))]


def text_states(
    model: SegmentReranker,
    encoder: PairEncoder,
    texts: Sequence[str],
    longest: int,
    precision: str,
    say: Callable[[str], None],
    file: Path | None = None,
) -> TextStates:
    """States of all texts; with ``file`` they are kept for the next run, see ``kept_rows``."""
    return states_of(model, encoder, wrapped(encoder, texts, longest), precision, say, file)


def states_of(
    model: SegmentReranker,
    encoder: PairEncoder,
    ids: list[list[int]],
    precision: str,
    say: Callable[[str], None],
    file: Path | None = None,
) -> TextStates:
    """The same of texts that are encoded already."""
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in ids])])
    shape = (int(offsets[-1]), int(model.encoder.config.hidden_size))
    groups = list(by_length(ids, TOKENS_PER_BATCH))
    ends = np.cumsum([len(group) for group in groups])

    def fill(states: np.ndarray, part: int) -> None:
        group = groups[part]
        for text, rows in zip(
            group, states_of_group(model, encoder, ids, group, precision), strict=True
        ):
            states[offsets[text] : offsets[text + 1]] = rows
        if ends[part] // REPORT_TEXTS != (ends[part] - len(group)) // REPORT_TEXTS:
            say(f"states of {ends[part]} of {len(ids)} texts")

    states = kept_rows(file, shape, np.float16, len(groups), lambda: digest_of(ids), fill)
    sums = np.add.reduceat(states, offsets[:-1], axis=0, dtype=np.float32)
    return TextStates(ids, offsets, states, sums / np.linalg.norm(sums, axis=1, keepdims=True))


@torch.inference_mode()
def states_of_group(
    model: SegmentReranker,
    encoder: PairEncoder,
    ids: list[list[int]],
    group: Sequence[int],
    precision: str,
) -> list[np.ndarray]:
    """The states of some texts of about one length, float16 [tokens, h] each."""
    device = model.scale.device
    batch: list[Tensor] = [t.to(device) for t in encoder.padded([ids[i] for i in group])]
    with products_in(precision, str(device)):
        found = model.segment(batch[0], batch[1].bool()).states
    rows = found.float().cpu().numpy().astype(np.float16)
    return [rows[row, : len(ids[text])] for row, text in enumerate(group)]


@dataclass(frozen=True)
class StateMaker:
    """Makes states of texts, and keeps them in the work folder under a name."""

    model: SegmentReranker
    encoder: PairEncoder
    work: Path
    precision: str
    key: str
    say: Callable[[str], None]

    @property
    def device(self) -> str:
        """Where the model is."""
        return str(self.model.scale.device)

    def of(self, name: str, texts: Sequence[str], longest: int) -> TextStates:
        """States of all texts."""
        return self.again(name, wrapped(self.encoder, texts, longest))

    def again(self, name: str, ids: list[list[int]]) -> TextStates:
        """States of texts that are encoded already."""
        self.say(f"states of {len(ids)} texts: {name}")
        file = self.work / f"states-{name}-{self.key}.npy"
        return states_of(self.model, self.encoder, ids, self.precision, self.say, file)
