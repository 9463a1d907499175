"""A DeBERTa-v2 cross-encoder that begins where all-MiniLM-L6-v2 (a BERT) stopped.

A DeBERTa-v2 layer has the parts of a BERT layer plus the relative terms. With those at zero the two
compute the same, once three differences are folded into the weights (see copy_layer, word_table).
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import BertModel, DebertaV2Config, DebertaV2ForSequenceClassification

from edge_rerank.files import whole_file

from .teacher import teacher_folder
from .vocabulary import kept_ids, pruned_tokenizer, tokenizer_config, vocabulary_of

# Of the unit-variance relative rows, which recover.py fits: at 0.3 it got closest soonest.
RELATIVE_GAIN = 0.3
# Positions whose mean embedding stands in for all of them: the usual length of a pair.
USUAL_POSITIONS = 128


def reranker_config(vocabulary: int, bert: BertModel) -> DebertaV2Config:
    """The attention of mxbai-rerank-xsmall-v1 in MiniLM's sizes.

    Dropout is off: each pair is seen about once.
    """
    return DebertaV2Config(
        vocab_size=vocabulary,
        hidden_size=bert.config.hidden_size,
        num_hidden_layers=bert.config.num_hidden_layers,
        num_attention_heads=bert.config.num_attention_heads,
        intermediate_size=bert.config.intermediate_size,
        hidden_act="gelu",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=512,
        max_relative_positions=-1,
        type_vocab_size=0,
        layer_norm_eps=1e-7,
        relative_attention=True,
        position_buckets=256,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        pooler_hidden_size=bert.config.hidden_size,
        pooler_hidden_act="gelu",
        pooler_dropout=0.0,
        pad_token_id=0,
        num_labels=1,
    )


def word_table(bert: BertModel, kept: list[int], positions: int = USUAL_POSITIONS) -> Tensor:
    """The kept rows, plus what BERT adds to every token: its first type, its mean position."""
    embeddings = bert.embeddings
    table: Tensor = (
        embeddings.word_embeddings.weight[kept] + embeddings.token_type_embeddings.weight[0]
    )
    if positions:
        table = table + embeddings.position_embeddings.weight[:positions].mean(0)
    return table


def sinusoids(rows: int, size: int) -> Tensor:
    """[rows, size]: near distances alike, so that rare long ones begin near their neighbours."""
    distance = torch.arange(rows, dtype=torch.float32)[:, None] - rows // 2
    frequency = torch.exp(torch.arange(0, size, 2) * (-math.log(1000.0) / size))
    angles: Tensor = distance * frequency
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def copy_layer(source: Any, target: Any) -> None:
    """Copy a BERT layer so that it computes the same.

    DeBERTa divides scores by sqrt(3 * size) where BERT divides by sqrt(size), so the query grows
    by sqrt(3). Its p2c term projects with the query's bias too: each of the two carries half.
    """
    query, attention = source.attention.self.query, target.attention.self
    attention.query_proj.weight.copy_(query.weight * math.sqrt(3))
    attention.query_proj.bias.copy_(query.bias * math.sqrt(3) / 2)
    attention.key_proj.load_state_dict(source.attention.self.key.state_dict())
    attention.value_proj.load_state_dict(source.attention.self.value.state_dict())
    target.attention.output.load_state_dict(source.attention.output.state_dict())
    target.intermediate.load_state_dict(source.intermediate.state_dict())
    target.output.load_state_dict(source.output.state_dict())


@torch.no_grad()
def warm_model(bert: BertModel, kept: list[int], seed: int) -> DebertaV2ForSequenceClassification:
    """The reranker before its first step; kept lists the rows of the pruned vocabulary."""
    torch.manual_seed(seed)
    config = reranker_config(len(kept), bert)
    model = DebertaV2ForSequenceClassification(config)
    deberta = model.deberta
    deberta.embeddings.word_embeddings.weight.copy_(word_table(bert, kept))
    deberta.embeddings.LayerNorm.load_state_dict(bert.embeddings.LayerNorm.state_dict())
    for source, target in zip(bert.encoder.layer, deberta.encoder.layer, strict=True):
        copy_layer(source, target)
    table = deberta.encoder.rel_embeddings.weight
    table.copy_(sinusoids(*table.shape))
    deberta.encoder.LayerNorm.weight.fill_(RELATIVE_GAIN)
    deberta.encoder.LayerNorm.bias.zero_()
    return model


def write_checkpoint(
    model: DebertaV2ForSequenceClassification, tokenizer: dict[str, Any], folder: Path
) -> None:
    """A folder that transformers loads, and whose tokenizer.json stands on its own."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    # safetensors makes its file private to the user.
    (folder / "model.safetensors").chmod(0o644)
    for name, content in (
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", tokenizer_config()),
    ):
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
        with whole_file(folder / name) as stream:
            stream.write(text.encode())


def warm_start(seed: int) -> tuple[DebertaV2ForSequenceClassification, dict[str, Any]]:
    """The model and the content of its tokenizer.json."""
    folder = teacher_folder()
    original = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    kept = kept_ids(vocabulary_of(original))
    bert = BertModel.from_pretrained(folder, add_pooling_layer=False)
    return warm_model(bert, kept, seed), pruned_tokenizer(original, kept)
