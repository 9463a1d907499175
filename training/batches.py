"""Token ids of pairs, grouped by length so that little is padding."""

import math
from collections.abc import Iterator, Sequence, Sized

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

LONGEST_QUERY = 48


class PairEncoder:
    """Encodes each text once and joins pairs as [CLS] query [SEP] passage [SEP]."""

    def __init__(self, tokenizer: Tokenizer, longest: int) -> None:
        self.tokenizer = tokenizer
        self.longest = longest
        self.start = tokenizer.token_to_id("[CLS]")
        self.end = tokenizer.token_to_id("[SEP]")
        self.pad = tokenizer.token_to_id("[PAD]")

    def texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text alone, without special tokens."""
        return [e.ids for e in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def pair(self, query: list[int], passage: list[int]) -> list[int]:
        """At most longest ids; the passage's end is what gives way."""
        head = [self.start, *query[:LONGEST_QUERY], self.end]
        return [*head, *passage[: self.longest - len(head) - 1], self.end]

    def padded(self, pairs: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Ids and mask, both [len(pairs), longest of them]."""
        ids, mask = padded_ids(pairs, self.pad)
        return torch.from_numpy(ids), torch.from_numpy(mask)


def padded_ids(texts: Sequence[Sequence[int]], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and mask, both int64 [len(texts), longest of them]."""
    lengths = np.array([len(text) for text in texts])
    mask = (np.arange(lengths.max())[None] < lengths[:, None]).astype(np.int64)
    ids = np.full(mask.shape, pad, np.int64)
    ids[mask == 1] = np.concatenate([np.asarray(text, np.int64) for text in texts])
    return ids, mask


def by_length(pairs: Sequence[list[int]], most_tokens: int) -> Iterator[list[int]]:
    """Positions in pairs, short ones first, in groups of at most most_tokens padded tokens."""
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i]))
    group: list[int] = []
    for position in order:
        if group and (len(group) + 1) * len(pairs[position]) > most_tokens:
            yield group
            group = []
        group.append(position)
    if group:
        yield group


def even_groups(pairs: Sequence[Sized], groups: int) -> list[list[int]]:
    """Positions in pairs, short ones first, in ``groups`` groups of about one size."""
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i]))
    size = math.ceil(len(order) / groups)
    return [order[start : start + size] for start in range(0, len(order), size)]
