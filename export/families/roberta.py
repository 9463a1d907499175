"""RoBERTa and XLM-RoBERTa: BERT's layers, with positions that begin behind the padding's."""

from __future__ import annotations

from ..config import Config
from ..errors import CheckpointError
from .bert import bert_architecture, bert_names
from .family import Family, Layout

_NAMES = bert_names("roberta", pooler="classifier.dense", classifier="classifier.out_proj")


def _read(config: Config, family: str, model_class: str) -> Layout:
    """The defaults are those of transformers' ``RobertaConfig`` and ``XLMRobertaConfig``."""
    pad = config.whole("pad_token_id", 1, least=0)
    # The rows up to the padding's are of no token.
    longest = config.whole("max_position_embeddings", 512) - pad - 1
    if longest < 1:
        raise CheckpointError(
            f"{config.where}: max_position_embeddings is {longest + pad + 1}; expected more than "
            f"{pad + 1}, since positions begin behind pad_token_id, {pad}"
        )
    if config.whole("type_vocab_size", 2) != 1:
        raise CheckpointError(
            f"{config.where}: type_vocab_size is {config.members.get('type_vocab_size', 2)}; known "
            "is 1: these models have no token types in use"
        )
    architecture = bert_architecture(
        config, family, vocab_size=50265, absolute=longest, token_types=0, pad=pad
    )
    return Layout(architecture, _NAMES, model_class, longest, first_position=pad + 1, one_type=True)


def _read_roberta(config: Config) -> Layout:
    return _read(config, "roberta", "RobertaForSequenceClassification")


def _read_xlm_roberta(config: Config) -> Layout:
    return _read(config, "xlm-roberta", "XLMRobertaForSequenceClassification")


ROBERTA = Family("roberta", "RoBERTa", "RobertaForSequenceClassification", _read_roberta)
XLM_ROBERTA = Family(
    "xlm-roberta", "XLM-RoBERTa", "XLMRobertaForSequenceClassification", _read_xlm_roberta
)
