"""A BERT that reads a pair's texts apart, as a bi-encoder, and then corrects their cosine.

The model of ``training/segments.py``. Each text goes through the layers by itself, as
``[CLS] text [SEP]`` with positions from 0. The correction's layers, in which the query's tokens
look at the passage's, follow as further layers of the same kind.
"""

from __future__ import annotations

from dataclasses import replace

from edge_rerank.artifact.architecture import Architecture, DenseStep, Head, Segments

from ..config import Config
from .bert import bert_architecture, bert_names
from .family import Family, Layout

_NAME, _CLASS = "segment-bert", "SegmentReranker"
_ACROSS = "correction"
_NORM_EPSILON = 1e-5  # torch's default, which is not BERT's
_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm": "output.LayerNorm",
}
"""Modules of a layer of the correction, and what they are called in a layer of BERT."""


def _read(config: Config) -> Layout:
    longest = config.whole("max_position_embeddings", 512)
    crossing = config.whole("correction_layers", 1)
    epsilon = config.number("correction_norm_eps", _NORM_EPSILON)
    config.choice("hidden_act", "gelu", ("gelu",))  # which the correction always has
    encoder = bert_architecture(
        config, _NAME, vocab_size=30522, absolute=longest, token_types=2, pad=0
    )
    architecture = replace(
        encoder,
        layers=encoder.layers + crossing,
        head=Head("steps", (DenseStep(encoder.hidden_size, "tanh"),), "mean"),
        segments=Segments(crossing, epsilon),
    )
    pooler, classifier = f"{_ACROSS}.pooler", f"{_ACROSS}.classifier"
    names = bert_names("encoder", pooler=pooler, classifier=classifier)
    return Layout(
        architecture,
        replace(names, head=(pooler,)),
        _CLASS,
        longest,
        types_alike=config.whole("type_vocab_size", 2),
        renamed=_renamed(architecture, names.layer),
        own_graph=True,
    )


def _renamed(architecture: Architecture, layer: str) -> dict[str, str]:
    """Name the correction's layers as those of the encoder that they are like."""
    first, end = architecture.encoding_layers, architecture.layers
    names: dict[str, str] = {}
    for number in range(first, end):
        own = _ACROSS if end - first == 1 else f"{_ACROSS}.layers.{number - first}"
        for part, theirs in _PARTS.items():
            names[f"{own}.{part}."] = f"{layer.format(layer=number)}.{theirs}."
    return names


SEGMENT_BERT = Family(_NAME, "BERT that reads texts apart", _CLASS, _read, own_head=True)
