"""What is asked of the engines: a query with passages, or a stream of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from edge_rerank.engines.onnx.batching import padding_overhead, plan_batches

from ..peers.catalogue import PACKED, PLANNED, SORTED, Batching
from ..worker.batches import cut
from .texts import Pair, Texts

WORDS = {"passage": 60, "section": 160, "limit": 640}
"""Words of a passage as in MS MARCO, of a documentation section, and more than 512 tokens."""
STREAM_WORDS = (20, 260)
PAIRS_PER_QUERY = 16


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing to measure."""

    passages: int
    words: int
    """Of each passage; 0 for a stream of many queries and lengths."""

    @property
    def name(self) -> str:
        """A name that is the same in every run."""
        if not self.words:
            return f"stream-{self.passages}"
        return f"rank-{self.passages}x{self.words}"

    def pairs(self, texts: Texts) -> list[Pair]:
        """Make the pairs: the same ones whenever the texts are the same."""
        rng = Random(self.name)
        if self.words:
            return texts.ranking(rng, self.passages, self.words)
        return texts.stream(rng, self.passages, PAIRS_PER_QUERY, STREAM_WORDS)


def padded_tokens(
    lengths: Sequence[int], batching: Batching, *, threads: int, max_length: int
) -> int | None:
    """Return the tokens that an engine computes, padding included; None where that is not known."""
    if batching.order == PACKED:
        return sum(lengths)
    if batching.order == PLANNED:
        batches = plan_batches(lengths, max_length=max_length, workers=threads)
        return round(sum(lengths) * (1 + padding_overhead(lengths, batches)))
    if not batching.rows:
        return None
    order = "sorted" if batching.order == SORTED else "arrival"
    groups = cut(lengths, order, batching.rows)
    return sum(len(group) * max(lengths[place] for place in group) for group in groups)
