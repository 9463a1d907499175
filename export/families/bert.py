"""BERT (Devlin et al., 2018): absolute positions, token types, a pooler with tanh."""

from __future__ import annotations

from edge_rerank.artifact.architecture import Architecture, FeedForward, Head, Positions

from ..config import ACTIVATIONS, Config
from ..errors import CheckpointError
from .family import Family, Layout, TensorNames

_NAME, _CLASS = "bert", "BertForSequenceClassification"
_ONE_VALUE = {"position_embedding_type": "absolute", "is_decoder": False, "pruned_heads": {}}
"""Members that must say this, if they are there."""


def bert_architecture(
    config: Config, family: str, *, vocab_size: int, absolute: int, token_types: int, pad: int
) -> Architecture:
    """Describe an encoder of BERT's kind; the other defaults are those of ``BertConfig``."""
    for name, known in _ONE_VALUE.items():
        if config.members.get(name) not in (None, known):
            raise CheckpointError(
                f"{config.where}: {name} is {config.members[name]!r}; known is {known!r}"
            )
    hidden = config.whole("hidden_size", 768)
    heads = config.whole("num_attention_heads", 12)
    return Architecture(
        family=family,
        layers=config.whole("num_hidden_layers", 12),
        hidden_size=hidden,
        heads=heads,
        head_size=config.head_size(hidden, heads),
        intermediate_size=config.whole("intermediate_size", 3072),
        vocab_size=config.whole("vocab_size", vocab_size),
        embedding_size=hidden,
        token_types=token_types,
        pad_token_id=config.whole("pad_token_id", pad, least=0),
        norm="after",
        norm_epsilon=config.number("layer_norm_eps", 1e-12),
        score_terms=1,
        positions=Positions(absolute, relative=None),
        feed_forward=FeedForward("plain", config.choice("hidden_act", "gelu", ACTIVATIONS)),
        head=Head.dense(hidden, "tanh"),
    )


def bert_names(encoder: str, *, pooler: str, classifier: str) -> TensorNames:
    """Name the tensors of an encoder of BERT's kind, whose prefix is ``encoder``."""
    return TensorNames(
        encoder=f"{encoder}.",
        words=f"{encoder}.embeddings.word_embeddings",
        positions=f"{encoder}.embeddings.position_embeddings",
        types=f"{encoder}.embeddings.token_type_embeddings",
        projection=None,
        norm=f"{encoder}.embeddings.LayerNorm",
        layer=encoder + ".encoder.layer.{layer}",
        linears={
            "attention.query": "attention.self.query",
            "attention.key": "attention.self.key",
            "attention.value": "attention.self.value",
            "attention.output": "attention.output.dense",
            "ffn.up": "intermediate.dense",
            "ffn.down": "output.dense",
        },
        norms={"attention.norm": "attention.output.LayerNorm", "ffn.norm": "output.LayerNorm"},
        pooler=pooler,
        classifier=classifier,
    )


def _read(config: Config) -> Layout:
    longest = config.whole("max_position_embeddings", 512)
    architecture = bert_architecture(
        config,
        _NAME,
        vocab_size=30522,
        absolute=longest,
        token_types=config.whole("type_vocab_size", 2),
        pad=0,
    )
    names = bert_names("bert", pooler="bert.pooler.dense", classifier="classifier")
    return Layout(architecture, names, _CLASS, longest)


BERT = Family(_NAME, "BERT", _CLASS, _read)
